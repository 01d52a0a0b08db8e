import { messageOf, redactText, ServiceResponseError } from '../errors/index.ts'
import { findKind } from '../signing/index.ts'
import { adviseCall } from './advice.ts'
import type { CallCommand } from './arguments.ts'
import { type ConnectionLog, watchConnections } from './connection-log.ts'
import type { Context } from './context.ts'
import { type Body, ClosedPipeError, openFile, openStream, type Sink, toChunks, writeBody } from './output.ts'
import { contentTypeOf, readData } from './read-data.ts'
import { type ObservedClient, observeClient, type SentRequest } from './signed-call.ts'
import { findCredentials, resolveTarget, type Target } from './target.ts'
import { describeAttempt, describeHead } from './verbose.ts'

/**
 * Sends one signed request. Writes the body to standard output or a file, and everything else to standard error.
 * @returns Exit code: 0 for a status 2xx, 1 for another status and for a failed call
 */
export async function runCall(command: CallCommand, context: Context): Promise<number> {
  const target = resolveTarget(command.target, command, context.env)
  const { maxBodySize } = findKind(target.service.signingName)
  const body = command.data === undefined ? undefined : await readData(command.data, context.stdin, maxBodySize)
  const sink = command.output === undefined ? openStream(context.stdout) : await openFile(command.output)
  const connections = command.verbose ? watchConnections() : undefined
  try {
    return await new Call(command, context, target, sink, connections).run(body)
  } finally {
    connections?.stop()
    await sink.close()
  }
}

class Call {
  readonly #command: CallCommand
  readonly #context: Context
  readonly #target: Target
  readonly #sink: Sink
  readonly #connections: ConnectionLog | undefined
  readonly #observed: ObservedClient

  constructor(
    command: CallCommand,
    context: Context,
    target: Target,
    sink: Sink,
    connections: ConnectionLog | undefined,
  ) {
    this.#command = command
    this.#context = context
    this.#target = target
    this.#sink = sink
    this.#connections = connections
    this.#observed = observeClient(target.service, {
      credentials: findCredentials(command.profile, context.env).source,
      now: context.now,
      onRequest: (attempt) => this.#showSent(attempt),
    })
  }

  async run(body: Uint8Array<ArrayBuffer> | undefined): Promise<number> {
    const startedAt = performance.now()
    const code = await this.#send(body).catch((error: unknown) => this.#fail(error))
    if (this.#command.verbose) this.#log(`* ${(performance.now() - startedAt).toFixed(1)} ms in total`)
    return code
  }

  async #send(body: Uint8Array<ArrayBuffer> | undefined): Promise<number> {
    const { method, path, headers, retry, timeout } = this.#command
    if (body !== undefined && !headers.has('content-type')) headers.set('content-type', contentTypeOf(body))
    const response = await this.#observed.client(this.#withQuery(path), {
      method,
      headers,
      retry,
      timeout,
      ...(body !== undefined && { body }),
    })
    this.#showHead(response)
    const chunks = response.body ?? toChunks(new Uint8Array())
    await this.#write({ chunks, contentType: response.headers.get('content-type') })
    return 0
  }

  /** Adds the query parameters of the URL, of the path and of `-q`, in this order. */
  #withQuery(path: string): string {
    const [, before = '', own = ''] = /^([^?#]*)(?:\?([^#]*))?/.exec(path) as RegExpExecArray
    const pairs = this.#command.query.map((pair) => pair.map(encodeURIComponent).join('='))
    const query = [this.#target.query.slice(1), own, ...pairs].filter((part) => part !== '').join('&')
    return query === '' ? before : `${before}?${query}`
  }

  async #fail(error: unknown): Promise<number> {
    if (error instanceof ClosedPipeError) return 0
    const failureBody = this.#observed.failureBody()
    if (error instanceof ServiceResponseError && failureBody !== undefined) {
      this.#showHead(this.#observed.attempts.at(-1)?.response)
      await this.#writeFailure(error, failureBody)
    }
    this.#log(messageOf(error))
    const advice = adviseCall(error)
    if (advice !== undefined) this.#log(advice)
    const { requestId } = error as { requestId?: string }
    if (requestId !== undefined) this.#log(`Request id: ${requestId}`)
    return 1
  }

  async #writeFailure({ headers }: ServiceResponseError, bytes: Uint8Array): Promise<void> {
    const text = Buffer.from(bytes)
    // A gateway's response may contain the token with JSON escapes, which only the redaction of text finds.
    const isText = Buffer.from(text.toString()).equals(text)
    const redacted = isText ? Buffer.from(redactText(text.toString(), this.#observed.secrets)) : text
    await this.#write({ chunks: toChunks(redacted), contentType: headers.get('content-type') }).catch(
      (error: unknown) => {
        if (!(error instanceof ClosedPipeError)) throw error
      },
    )
  }

  async #write(body: Body): Promise<void> {
    const isTerminal = this.#command.output === undefined && this.#context.stdout.isTTY === true
    await writeBody(body, this.#sink, { isTerminal, secrets: this.#observed.secrets })
  }

  #showSent(attempt: SentRequest): void {
    if (this.#connections === undefined) return
    const number = this.#observed.attempts.length
    this.#log(describeAttempt(attempt, number, this.#target.service, this.#connections.take()))
  }

  #showHead(response: Response | undefined): void {
    if (this.#command.include && response !== undefined) this.#log(describeHead(response))
  }

  /** Writes a line to standard error, without secrets. */
  #log(text: string): void {
    this.#context.stderr.write(`${redactText(text, this.#observed.secrets)}\n`)
  }
}
