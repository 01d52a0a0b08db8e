/** A signal of its own that aborts with whichever of `sources` does first, with that one's reason. */
export interface Following {
  readonly signal: AbortSignal
  readonly abort: (reason?: unknown) => void
  /** Takes its listeners off the sources. */
  readonly stop: () => void
}

/**
 * Unlike `AbortSignal.any` and `Request`, it holds on to what it follows: theirs is dropped with the next garbage
 * collection once nobody but a body that is still being read needs it.
 */
export function follow(sources: readonly (AbortSignal | undefined)[]): Following {
  const controller = new AbortController()
  const listeners: [AbortSignal, () => void][] = []
  const stop = () => {
    for (const [source, listener] of listeners) source.removeEventListener('abort', listener)
  }
  const abort = (reason?: unknown) => {
    stop()
    controller.abort(reason)
  }
  for (const source of sources) {
    if (source === undefined) continue
    if (source.aborted) {
      abort(source.reason)
      break
    }
    const listener = () => abort(source.reason)
    source.addEventListener('abort', listener)
    listeners.push([source, listener])
  }
  return { signal: controller.signal, abort, stop }
}

/** Settles as `promise` does, or rejects with the signal's reason, even if the promise itself does not hear of it. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    promise.then(
      (value) => {
        signal.removeEventListener('abort', abort)
        resolve(value)
      },
      (error: unknown) => {
        signal.removeEventListener('abort', abort)
        reject(error)
      },
    )
  })
}

/** Waits; false where the signal aborted first. */
export function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isOver: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      resolve(isOver)
    }
    const abort = () => end(false)
    const timer = setTimeout(end, ms, true)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
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
