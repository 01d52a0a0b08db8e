/** The command line is invalid, and nothing was sent. The exit code is 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}
