/**
 * Whether the client still believes a peer as an auditor. Pure.
 *
 * The client compares each audit of the peer with the majority of the panel, or with the audit of the user's own
 * engine. A peer that loses its right to audit gets no other penalty, unless the user's own engine refuted it: a
 * colluding majority makes honest auditors dissent.
 */

/** What became of the audits that a peer made for this client. */
export interface AuditorRecord {
  /** Audits that agreed with the majority, or with the user's own engine. */
  agreed: number
  dissented: number
  /** The user's own engine showed that an audit was false beyond all noise. */
  refuted: boolean
}

export const NO_AUDITS: AuditorRecord = { agreed: 0, dissented: 0, refuted: false }

/** Fewer dissents can be chance. */
const LEAST_DISSENTS = 3
/**
 * The largest share of dissents that a peer may have. If 30 % of the auditors always lie, an honest one dissents in 8 %
 * of its audits, and a liar in 65 %. An honest peer that loses the right by chance loses nothing else.
 */
const MOST_DISSENT_SHARE = 0.25

export function mayAudit({ agreed, dissented, refuted }: AuditorRecord): boolean {
  return !refuted && (dissented < LEAST_DISSENTS || dissented <= MOST_DISSENT_SHARE * (agreed + dissented))
}
