/** A stream that a command writes to. */
export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean }

/** The members of the process that a command uses. */
export interface Context {
  /** Environment variables. Those of `--env-file` are added. */
  readonly env: NodeJS.ProcessEnv
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Milliseconds since the epoch. */
  readonly now: () => number
}
