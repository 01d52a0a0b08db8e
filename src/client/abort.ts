/**
 * Aborts `controller` with the reason of `source`, as soon as that aborts, until the returned function is called.
 * A derived signal would not do: a `Request` that is collected as garbage drops its own.
 */
export function forwardAbort(source: AbortSignal, controller: AbortController): () => void {
  const abort = () => controller.abort(source.reason)
  if (source.aborted) abort()
  else source.addEventListener('abort', abort, { once: true })
  return () => source.removeEventListener('abort', abort)
}

/** Waits; false where the signal aborted first. */
export function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false)
    const abort = () => {
      clearTimeout(timer)
      resolve(false)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve(true)
    }, ms)
    signal.addEventListener('abort', abort, { once: true })
  })
}
