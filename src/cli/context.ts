/** A stream that a command writes to. */
export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean }

/** What a command knows of the process that it runs in. */
export interface Context {
  /** Variables; those of `--env-file` are added to it. */
  readonly env: NodeJS.ProcessEnv
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The command line is wrong: exit code 2. Nothing was sent. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}
