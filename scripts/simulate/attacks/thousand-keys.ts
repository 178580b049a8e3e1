import type { Attack } from './attack.ts'
import { whitewashing } from './whitewashing.ts'

/** Subnets in which the attacker rents machines. A key costs nothing, a subnet costs a few dollars a month. */
const SUBNETS = 4

/** Whitewashing with a great many keys at the same time, on machines in a few subnets. */
export const thousandKeys: Attack = {
  name: '1,000 keys',
  begin(context) {
    whitewashing.begin(context)
    for (const [index, member] of context.malicious.entries()) member.subnet = `rented-${index % SUBNETS}`
  }
}
