/**
 * What is used of Node's own modules. An `import` of one copies all its exports, and so loads what Node itself loads only
 * when it is read: about 5 ms of a cold start for the four of these.
 */
export const crypto: typeof import('node:crypto') = process.getBuiltinModule('node:crypto')
export const channel: typeof import('node:diagnostics_channel').channel =
  process.getBuiltinModule('node:diagnostics_channel').channel
export const inspect: typeof import('node:util').inspect = process.getBuiltinModule('node:util').inspect
const { setImmediate }: typeof import('node:timers') = process.getBuiltinModule('node:timers')

/** Runs `task` in the next turn of the event loop, whatever stands in for timers. */
export function soon(task: () => void): void {
  setImmediate(task)
}

export function nextTurn(): Promise<void> {
  return new Promise(soon)
}
