import type { Attack } from './attack.ts'
import { praise } from './praise.ts'

/** Half of the ring serves honestly and lends its good name to the liars (the spies of EigenTrust's threat model D). */
export const collusion: Attack = {
  name: 'collusion',
  about: 'half of the ring honest, praising the liars',
  begin(context) {
    const { malicious } = context
    const spies = malicious.slice(0, malicious.length / 2)
    praise.begin({ ...context, malicious: malicious.slice(spies.length) })
    for (const spy of spies) context.rumours.praise(spy.key)
  }
}
