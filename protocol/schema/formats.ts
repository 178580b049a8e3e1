/**
 * The values of `format` that the grammar enforces, as patterns of the whole text. Each pattern allows a part of the
 * format, because validators disagree about the rest. All other formats are annotations.
 */
import { Automaton } from '../grammar/regex/automaton.ts'
import { parsePattern, type Condition } from '../grammar/regex/syntax.ts'

const YEAR = '[1-9]\\d{3}'
const LEAP_YEAR = '(?:[1-9]\\d(?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)'
const DATE = `(?:${YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|${LEAP_YEAR}-02-29)`
const TIME = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)'
const SECONDS = '\\d{1,6}S'
const MINUTES = `(?:\\d{1,6}M(?:${SECONDS})?|${SECONDS})`
const HOURS = `T(?:\\d{1,6}H(?:${MINUTES})?|${MINUTES})`
const LABEL = '[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*'
const HEX = '[0-9a-f]{1,4}'
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`
const IPV6 = [
  `(?:${HEX}:){7}${HEX}`,
  ...[1, 2, 3, 4, 5, 6].map((before) => `(?:${HEX}:){${before}}(?::${HEX}){1,${7 - before}}`),
  `:(?::${HEX}){1,7}`
].join('|')
const URI_CHARACTER = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
const URI = `[a-z][a-z0-9+.-]*://${LABEL}(?:\\.${LABEL})*(?::[1-9]\\d{1,3})?(?:/${URI_CHARACTER}*)*(?:\\?(?:${URI_CHARACTER}|[/?])*)?(?:#(?:${URI_CHARACTER}|[/?])*)?`

interface Format {
  pattern: string
  maxLength?: number
}

const FORMATS: Readonly<Record<string, Format>> = {
  date: { pattern: DATE },
  time: { pattern: TIME },
  'date-time': { pattern: `${DATE}T${TIME}` },
  duration: { pattern: `P(?:\\d{1,6}D(?:${HOURS})?|${HOURS})` },
  uuid: { pattern: '[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}' },
  // RFC 5321 limits the length.
  email: {
    pattern: `[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+)*@(?:${LABEL}\\.)+[A-Za-z]{2,}`,
    maxLength: 254
  },
  ipv4: { pattern: IPV4 },
  ipv6: { pattern: `(?:${IPV6})` },
  // RFC 1035 limits the length.
  hostname: { pattern: `${LABEL}(?:\\.${LABEL})*`, maxLength: 63 },
  uri: { pattern: URI }
}

export interface ParsedFormat {
  conditions: readonly Condition[]
  maxLength: number
  /** Accepts the texts of this format. Made once, so a schema without other rules for the text needs no new one. */
  automaton: Automaton
}

const parsed = new Map<string, ParsedFormat>()

/** Returns undefined for a format that is only an annotation. */
export function formatOf(name: unknown): ParsedFormat | undefined {
  if (typeof name !== 'string' || !Object.hasOwn(FORMATS, name)) return undefined
  let format = parsed.get(name)
  if (format === undefined) {
    const { pattern, maxLength = Infinity } = FORMATS[name]!
    const conditions = parsePattern(pattern, true)
    format = { conditions, maxLength, automaton: new Automaton(conditions, 0, () => undefined) }
    parsed.set(name, format)
  }
  return format
}
