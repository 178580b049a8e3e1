import type { JSX } from 'preact'

import { announcement } from '../state/chat.ts'
import { panel, type Panel } from '../state/panel.ts'
import { Chat } from './chat.tsx'
import { Conversations } from './conversations.tsx'
import { KeyForm } from './key-form.tsx'
import { MyNode } from './my-node.tsx'
import { Network } from './network.tsx'
import { Receipt } from './receipt.tsx'

const PANELS: readonly { name: Panel; label: string }[] = [
  { name: 'chat', label: 'Chat' },
  { name: 'network', label: 'Network' },
  { name: 'node', label: 'My node' }
]

export function App(): JSX.Element {
  const side = panel.value === 'node' ? 'node' : 'network'
  return (
    <div class="app" data-panel={panel.value}>
      <Conversations />
      <main>
        <h1 class="hidden">Potluck</h1>
        <Chat />
        <section class="side" aria-label={side === 'node' ? 'My node' : 'Network'}>
          <nav class="tabs" aria-label="Beside the chat">
            <PanelButtons panels={PANELS.slice(1)} current={side} />
          </nav>
          <div class="pane">{side === 'node' ? <MyNode /> : <Network />}</div>
        </section>
      </main>
      <nav class="bottom" aria-label="Parts of the page">
        <PanelButtons panels={PANELS} current={panel.value} />
      </nav>
      <Receipt />
      <KeyForm />
      <p class="hidden" role="status">
        {announcement}
      </p>
    </div>
  )
}

function PanelButtons({ panels, current }: { panels: typeof PANELS; current: Panel }): JSX.Element {
  return (
    <>
      {panels.map(({ name, label }) => (
        <button type="button" aria-current={name === current ? 'page' : undefined} onClick={() => (panel.value = name)}>
          {label}
        </button>
      ))}
    </>
  )
}
