/**
 * `npm run simulate -- reputation|auditors|probes|selection|discovery [options]`: runs the product's real code against
 * simulated peers, in virtual time.
 */
import { parseArgs } from 'node:util'
import { auditors } from './simulate/auditors/figures.ts'
import { recognisedProbes } from './simulate/auditors/recognised-probes.ts'
import { discovery } from './simulate/discovery/figures.ts'
import { print, type Figure } from './simulate/report.ts'
import { reputation } from './simulate/reputation/figures.ts'
import { selection } from './simulate/selection/figures.ts'

const HELP = `Usage: npm run simulate -- reputation|auditors|probes|selection|discovery [options]

Runs the product's real code against simulated peers, in virtual time. "reputation" counts bad
answers under attacks, and "selection" measures how long callers wait: both compare the client
with the usual load balancers. "selection" begins with the requests that an attacker gets by false
claims and by 1,000 keys, and that meet nodes which never answer. "auditors" counts what colluding
auditors achieve, and "probes" what nodes achieve that are honest only if they recognise an audit.
"discovery" measures the DHT in networks of several sizes. Prints the mean, the minimum and the
maximum over the seeds.

  --seeds N        number of runs of each case (default 20; discovery: 1)
  --peers N        number of peers, 10 to 5,000 (default 100 for reputation, 50 for selection, 30 for auditors and probes)
  --malicious F    share of malicious peers (default 0.7 for reputation, 0.2 for probes)
  --shares F,F     shares of colluding peers (auditors only, default 0,0.1,0.2,0.3,0.4,0.5)
  --attack NAME    simulate only this attack (reputation only)
  --nodes N,N      sizes of the network (discovery only, default 100,1000,10000,100000)
  --json           print one JSON object per line
  --help           print this text
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: 'string' },
      peers: { type: 'string' },
      malicious: { type: 'string' },
      attack: { type: 'string' },
      shares: { type: 'string', default: '0,0.1,0.2,0.3,0.4,0.5' },
      nodes: { type: 'string', default: '100,1000,10000,100000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  const [bench] = positionals
  if (values.help || bench === undefined) {
    console.log(HELP)
    return 0
  }
  const note = (text: string): void => console.error(text)
  const seeds = number('--seeds', values.seeds ?? (bench === 'discovery' ? '1' : '20'), 1, 1_000)
  let figures: Figure[]
  switch (bench) {
    case 'reputation':
      figures = await reputation(
        {
          peers: number('--peers', values.peers ?? '100', 10, 5_000),
          maliciousShare: number('--malicious', values.malicious ?? '0.7', 0, 0.99),
          clients: 50,
          requests: 200,
          seeds,
          ...(values.attack === undefined ? {} : { attack: values.attack })
        },
        note
      )
      break
    case 'auditors': {
      const shares = values.shares.split(',').map((share) => number('--shares', share, 0, 0.99))
      const peers = number('--peers', values.peers ?? '30', 10, 1_000)
      figures = await auditors({ peers, clients: 10, requests: 300, seeds, shares }, note)
      break
    }
    case 'probes': {
      const colluding = number('--malicious', values.malicious ?? '0.2', 0, 0.99)
      const peers = number('--peers', values.peers ?? '30', 10, 1_000)
      figures = await recognisedProbes({ peers, clients: 10, requests: 300, seeds, colluding }, note)
      break
    }
    case 'selection':
      figures = await selection({ peers: number('--peers', values.peers ?? '50', 10, 5_000), clients: 40, seeds }, note)
      break
    case 'discovery': {
      const sizes = values.nodes.split(',').map((size) => number('--nodes', size, 50, 100_000))
      figures = await discovery({ sizes, seeds, clients: 60 }, note)
      break
    }
    default:
      console.error(`There is no simulation "${bench}".\n\n${HELP}`)
      return 2
  }
  print(bench, figures, values.json)
  return 0
}

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!(value >= least && value <= most))
    throw new Error(`${name} takes a number from ${least} to ${most}, not "${text}".`)
  return value
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
}
