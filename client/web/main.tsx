/**
 * The page that the gateway serves at `/`: a chat, the network that this client knows, and the user's own node. It uses
 * only the documented endpoints of the gateway. `scripts/page.ts` bundles it into `client/gateway/web`.
 */
import { render } from 'preact'

import { follow } from './state/follow.ts'
import { App } from './views/app.tsx'

const root = document.getElementById('app')
if (root === null) throw new Error('index.html has no element #app')
render(<App />, root)
follow()
