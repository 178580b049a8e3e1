/**
 * Bytes that arrived and are not read yet, in one piece of memory. A list of pieces would make a sender's pieces of one
 * byte expensive: removing 200,000 of them from the front of a `Uint8ArrayList` takes 2 s.
 */

/** Memory of a queue that just begins. Doubled when it is full. */
const FIRST_BYTES = 1_024
/** An empty queue that has more memory than this frees it. */
const KEPT_BYTES = 64 * 1024

export class ByteQueue {
  #memory = new Uint8Array(0)
  #start = 0
  #end = 0

  get byteLength(): number {
    return this.#end - this.#start
  }

  /** Adds a copy of the bytes, which can come in pieces. */
  append(pieces: Iterable<Uint8Array>): void {
    for (const piece of pieces) {
      if (this.#end + piece.byteLength > this.#memory.byteLength) this.#makeRoom(piece.byteLength)
      this.#memory.set(piece, this.#end)
      this.#end += piece.byteLength
    }
  }

  /** Returns the byte at this index; undefined if it has not arrived. */
  at(index: number): number | undefined {
    return index < this.byteLength ? this.#memory[this.#start + index] : undefined
  }

  /** Returns a copy of the next bytes, and removes them. There must be as many. */
  take(length: number): Uint8Array {
    const bytes = this.#memory.slice(this.#start, this.#start + length)
    this.skip(length)
    return bytes
  }

  /** Removes the next bytes. There must be as many. */
  skip(length: number): void {
    this.#start += length
    if (this.#start === this.#end) {
      this.#start = this.#end = 0
      if (this.#memory.byteLength > KEPT_BYTES) this.#memory = new Uint8Array(0)
    }
  }

  #makeRoom(more: number): void {
    const needed = this.byteLength + more
    // Half of the memory is free afterwards, so that each byte is moved only a few times.
    const enough = needed * 2 <= this.#memory.byteLength
    const memory = enough ? this.#memory : new Uint8Array(Math.max(FIRST_BYTES, needed * 2))
    memory.set(this.#memory.subarray(this.#start, this.#end))
    this.#memory = memory
    this.#end = this.byteLength
    this.#start = 0
  }
}
