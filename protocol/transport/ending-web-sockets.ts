/**
 * Patches @libp2p/websockets 10.1.21 (pinned), so that a WebSocket ends when its connection ends.
 *
 * The library leaves a socket open in two cases: if the dial is aborted before the peer answers the handshake, and if a
 * connection is aborted, because it calls `close(1006)`, which throws. A peer that hangs then keeps the process alive
 * until the peer wakes up. Node's own WebSocket has no way to end an open connection to such a peer, so in Node the
 * caller gives the WebSocket of the package ws.
 */
import type { Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddrToUri } from '@multiformats/multiaddr-to-uri'
import { raceSignal } from 'race-signal'

/** Timeout for the peer's close frame. libp2p itself waits 500 ms for each connection that it closes. */
const CLOSE_TIMEOUT_MS = 500

/** A WebSocket that can end without the peer. */
export interface EndingWebSocket extends WebSocket {
  terminate: () => void
}

/** The internals of the transport that the patch uses. */
interface WebSocketTransport extends Transport {
  _connect: (address: Multiaddr, options: { signal: AbortSignal }) => Promise<WebSocket>
}

/**
 * @param webSockets the return value of `webSockets()`
 * @param open starts a connection
 */
export function endingWebSockets<C>(
  webSockets: (components: C) => Transport,
  open: (uri: string) => EndingWebSocket
): typeof webSockets {
  return (components) => {
    const transport = webSockets(components) as WebSocketTransport
    transport._connect = async (address, { signal }) => {
      signal.throwIfAborted()
      const socket = open(multiaddrToUri(address))
      socket.binaryType = 'arraybuffer'
      try {
        await raceSignal(opened(socket), signal)
      } catch (error) {
        socket.terminate()
        throw error
      }
      const close = socket.close.bind(socket)
      socket.close = (code, reason) => {
        // No program can send 1006, the code of a connection that ended without a close frame.
        if (code === 1006) return socket.terminate()
        close(code, reason)
        const late = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS)
        socket.addEventListener('close', () => clearTimeout(late))
      }
      return socket
    }
    return transport
  }
}

async function opened(socket: EndingWebSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.addEventListener('open', () => resolve())
  // An event of ws has the error of the socket, with its code.
  socket.addEventListener('error', (event) => reject((event as ErrorEvent).error ?? new Error('cannot connect')))
  await promise
}
