/** The end of an invocation, as its calls see it. */
export interface Deadline {
  /** Milliseconds left for calls; 0 or less when there is no time for another one. */
  remaining(): number
  /** One for all calls of the invocation; its timer starts when the first one asks for it. */
  readonly signal: AbortSignal
  /** To be called when the invocation ends: takes the timer away. */
  stop(): void
}

/** `remaining` is the runtime's own clock, `getRemainingTimeInMillis`; `margin` is kept back for the handler's answer. */
export function createDeadline(remaining: () => number, margin: number): Deadline {
  const controller = new AbortController()
  const left = () => remaining() - margin
  let timer: NodeJS.Timeout | undefined
  return {
    remaining: left,
    get signal() {
      timer ??= setTimeout(() => controller.abort(), Math.max(0, left())).unref()
      return controller.signal
    },
    stop: () => clearTimeout(timer),
  }
}
