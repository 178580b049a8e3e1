/**
 * Yamux without an answer to every frame.
 *
 * Its specification lets a receiver gather what it has taken, and Hashicorp's own does until half of the window is
 * used; @chainsafe/libp2p-yamux 8.0.1 (pinned) sends an update for each data frame. For streamed tokens that is a packet
 * back for every packet: a quarter of the processor time of both sides, and 30 bytes of each 100.
 */
import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'

/** What is used of a stream's internals. */
interface YamuxStream {
  state: number
  recvWindow: number
  recvWindowCapacity: number
  sendWindowUpdate: () => void
}

interface YamuxMuxer extends StreamMuxer {
  _newStream: (...of: readonly unknown[]) => YamuxStream
}

/** Before it, an update carries the flags that open the stream. */
const ESTABLISHED = 3

/** @param yamux what `yamux()` returns */
export function sparingWindows<C>(yamux: (components: C) => StreamMuxerFactory): typeof yamux {
  return (components) => {
    const factory = yamux(components)
    const { protocol } = factory
    return {
      protocol,
      createStreamMuxer: (connection) => {
        const muxer = factory.createStreamMuxer(connection) as YamuxMuxer
        const open = muxer._newStream.bind(muxer)
        muxer._newStream = (...of) => sparing(open(...of))
        return muxer
      }
    }
  }
}

function sparing(stream: YamuxStream): YamuxStream {
  const update = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    const isHalfLeft = stream.recvWindowCapacity > stream.recvWindow / 2
    if (stream.state !== ESTABLISHED || !isHalfLeft) update()
  }
  return stream
}
