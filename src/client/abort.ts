/**
 * Aborts `controller` when `source` aborts, with the same reason. The returned function ends this. A derived
 * signal does not work here: after garbage collection of a `Request`, its signal no longer follows its source.
 */
export function forwardAbort(source: AbortSignal, controller: AbortController): () => void {
  const abort = () => controller.abort(source.reason)
  if (source.aborted) abort()
  else source.addEventListener('abort', abort, { once: true })
  return () => source.removeEventListener('abort', abort)
}

/** Waits. Resolves with false if the signal aborts first. */
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
    signal.addEventListener('abort', abort)
  })
}
