type Listener = () => void

/** What tells that something has ended, and why: an `AbortSignal`, or what calls have in its place. */
export interface EndSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: Listener): void
  removeEventListener(type: 'abort', listener: Listener): void
}

/** An `AbortController` and its signal in one, for what no `fetch` gets to see: at a fraction of the cost. */
export class LightSignal implements EndSignal {
  aborted = false
  reason: unknown
  readonly #listeners = new Set<Listener>()

  abort(reason: unknown = new DOMException('This operation was aborted', 'AbortError')): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    for (const listener of this.#listeners) listener()
  }

  addEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners.delete(listener)
  }
}

/** Calls `listener` when the signal aborts, now if it has; the function that is returned takes it off. */
export function whenAborted(signal: EndSignal, listener: Listener): () => void {
  if (signal.aborted) listener()
  else signal.addEventListener('abort', listener)
  return () => signal.removeEventListener('abort', listener)
}

/** A signal of its own that aborts with whichever of `sources` does first, with that one's reason. */
export interface Following {
  readonly signal: LightSignal
  /** Takes its listeners off the sources. */
  readonly stop: () => void
}

/**
 * Unlike `AbortSignal.any` and `Request`, it holds on to what it follows: theirs is dropped with the next garbage
 * collection once nobody but a body that is still being read needs it.
 */
export function follow(sources: readonly (EndSignal | undefined)[]): Following {
  const signal = new LightSignal()
  const stops: (() => void)[] = []
  const stop = () => {
    for (const one of stops) one()
  }
  // Stryker disable next-line StringLiteral: a LightSignal has no other event.
  signal.addEventListener('abort', stop)
  for (const source of sources) {
    if (source !== undefined && !signal.aborted) stops.push(whenAborted(source, () => signal.abort(source.reason)))
  }
  return { signal, stop }
}

/** What `fetch` and its like take for the same end. */
export function toAbortSignal(signal: EndSignal): AbortSignal {
  const controller = new AbortController()
  whenAborted(signal, () => controller.abort(signal.reason))
  return controller.signal
}

/** Settles as `promise` does, or rejects with the signal's reason, even if the promise itself does not hear of it. */
export function unlessAborted<T>(promise: Promise<T>, signal: EndSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = whenAborted(signal, () => reject(signal.reason))
    promise.then(
      (value) => {
        stop()
        resolve(value)
      },
      (error: unknown) => {
        stop()
        reject(error)
      },
    )
  })
}

/** Waits; false where the signal aborted first. */
export function sleep(ms: number, signal: EndSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      stop()
      resolve(true)
    }, ms)
    const stop = whenAborted(signal, () => {
      clearTimeout(timer)
      resolve(false)
    })
  })
}

/** Counts who still needs something: starts it for the first one, stops it after the last one has let go. */
export function createHolds(start: () => void, stop: () => void): () => () => void {
  let holders = 0
  return () => {
    holders += 1
    if (holders === 1) start()
    let isHolding = true
    return () => {
      if (!isHolding) return
      isHolding = false
      holders -= 1
      if (holders === 0) stop()
    }
  }
}
