/** Writes observations as fast as possible and prints a line after each saved one, until the test kills the process. */
import { writeSync } from 'node:fs'
import { SqliteReputationStore } from '../../../client/platform/node-reputation-store.ts'
import { Reputation } from '../../../client/reputation/index.ts'
import { audit, complete, DIGEST } from './help.ts'

const [path] = process.argv.slice(2)
if (path === undefined) throw new Error('Usage: writer.ts PATH')
const reputation = new Reputation({ store: new SqliteReputationStore(path) })
const liar = `liar-${process.pid}`
reputation.observe(liar, DIGEST, audit(5_000))
writeSync(1, `${liar}\n`)
for (;;) {
  reputation.observe('counted', DIGEST, complete())
  for (let other = 0; other < 20; other++) reputation.observe(`other-${other}`, DIGEST, complete())
  writeSync(1, `${reputation.state('counted', DIGEST).counts.complete?.count}\n`)
}
