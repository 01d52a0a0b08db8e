import { soon } from '../transport/node.ts'
import { type EndSignal, unlessAborted, whenAborted } from './abort.ts'

/** What an attempt needs to know of its answer's body. */
export interface BodyWatch {
  /** Ends the body, as soon as it aborts. */
  readonly signal: EndSignal
  /** Told when the body has ended, however it did. */
  readonly end: () => void
  /** The error that a body fails with, in place of the transport's own. */
  readonly toFailure: (error: unknown) => unknown
}

/** Bytes of an answer that are read before anybody asks for them. */
const READ_AHEAD = 65_536

/**
 * Sees to it that an answer's body ends with its attempt, and fails with the call's own error. `ended` resolves with what
 * it failed with, where somebody was reading it.
 *
 * The body is read as it is, in one piece, by those who want it whole, which costs next to nothing; only for others it
 * becomes another stream.
 */
export function watchResponse(
  response: Response,
  watch: BodyWatch,
): { readonly body: Response; readonly ended: Promise<unknown> } {
  const isForeign = !(response instanceof Response) || Watched.has(response)
  // A class of its own may have to make a stream first, and so is asked only where somebody wants one.
  const isAskedNow = isForeign || Object.getPrototypeOf(response) === Response.prototype
  if (isAskedNow && response.body === null) {
    watch.end()
    return { body: response, ended: Promise.resolve() }
  }
  const { promise: ended, resolve: tell } = Promise.withResolvers<unknown>()
  const state: State = { ...watch, tell, isStarted: false, copy: undefined }
  if (isForeign) return { body: copyOf(response, response.body as ReadableStream<Uint8Array>, state), ended }
  Watched.set(response, state)
  Object.setPrototypeOf(response, watchedPrototypeOf(response))
  // Read ahead, so that a small answer which nobody reads has ended all the same, and with it the call.
  soon(() => {
    // Stryker disable next-line ConditionalExpression: of what is being read, nothing would be found, at a cost.
    if (!state.isStarted) sourceOf(response)
  })
  return { body: response, ended }
}

interface State extends BodyWatch {
  readonly tell: (failure: unknown) => void
  isStarted: boolean
  /** The same answer with another stream as its body, once somebody wants more than the whole. */
  copy: Response | undefined
}

/** Gives back what it is given, for a subclass to put private members on. */
class Itself {
  constructor(response: Response) {
    // biome-ignore lint/correctness/noConstructorReturn: the whole point
    return response
  }
}

/**
 * A response's state is a private member of its own. In a WeakMap, a response that its state leads back to would be
 * collected with old objects only, and many calls would cost twice the time for it.
 */
class Watched extends Itself {
  readonly #state: State

  private constructor(response: Response, state: State) {
    super(response)
    this.#state = state
  }

  static set(response: Response, state: State): void {
    new Watched(response, state)
  }

  static has(response: object): boolean {
    return #state in response
  }

  static get(response: object): State {
    return (response as Watched).#state
  }
}

/** What answers have in place of the prototype of their class; made late, because that loads Node's own `fetch`. */
const watchedPrototypes = new WeakMap<Response, object>()

function watchedPrototypeOf(response: Response): object {
  const native: Response = Object.getPrototypeOf(response)
  const known = watchedPrototypes.get(native)
  if (known !== undefined) return known
  const created = createPrototype(native)
  watchedPrototypes.set(native, created)
  return created
}

function createPrototype(native: Response): object {
  const value = (member: unknown) => ({ value: member, writable: true, configurable: true })
  const getter = (get: (this: Response) => unknown) => ({ get, configurable: true })
  const whole = (name: 'text' | 'arrayBuffer' | 'bytes') => {
    const read = Reflect.get(native, name) as () => Promise<unknown>
    return value(async function (this: Response) {
      const state = Watched.get(this)
      if (state.copy !== undefined) return Reflect.get(state.copy, name).call(state.copy)
      if (state.isStarted) return read.call(this)
      state.isStarted = true
      try {
        const body = await unlessAborted(read.call(this), state.signal)
        state.end()
        state.tell(undefined)
        return body
      } catch (error) {
        const failure = state.toFailure(error)
        state.tell(failure)
        throw failure
      }
    })
  }
  const other = (name: 'blob' | 'formData' | 'clone') =>
    value(function (this: Response) {
      return sourceOf(this)[name]()
    })
  return Object.create(native, {
    text: whole('text'),
    arrayBuffer: whole('arrayBuffer'),
    bytes: whole('bytes'),
    json: value(async function (this: Response) {
      return JSON.parse(await this.text())
    }),
    blob: other('blob'),
    formData: other('formData'),
    clone: other('clone'),
    body: getter(function (this: Response) {
      return sourceOf(this).body
    }),
    bodyUsed: getter(function (this: Response) {
      const { copy, isStarted } = Watched.get(this)
      return copy?.bodyUsed ?? isStarted
    }),
  })
}

/** What a member that is not the whole body's reads from. */
function sourceOf(response: Response): Response {
  const state = Watched.get(response)
  if (state.copy !== undefined) return state.copy
  // Being read already: it answers as any such response does.
  const native = Object.getPrototypeOf(Object.getPrototypeOf(response))
  if (state.isStarted) return Object.setPrototypeOf(response, native)
  const stream: Response['body'] = Reflect.get(native, 'body', response)
  if (stream !== null) return copyOf(response, stream, state)
  state.end()
  state.tell(undefined)
  state.copy = Object.setPrototypeOf(response, native) as Response
  return state.copy
}

/** The same answer, with a body that is read ahead and fails with the call's own error. */
function copyOf(response: Response, stream: ReadableStream<Uint8Array>, state: State): Response {
  const { signal, end, toFailure, tell } = state
  const reader = stream.getReader()
  let stop = () => {}
  let isReading = false
  const finish = () => {
    stop()
    end()
    tell(undefined)
  }
  const fail = (controller: ReadableStreamDefaultController, error: unknown) => {
    stop()
    const failure = toFailure(error)
    // What nobody waits for has not failed anybody.
    tell(isReading ? failure : undefined)
    controller.error(failure)
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        stop = whenAborted(signal, () => {
          fail(controller, signal.reason)
          reader.cancel(signal.reason).catch(() => {})
        })
      },
      async pull(controller) {
        try {
          isReading = true
          const { done, value } = await reader.read()
          isReading = false
          // Too late: the stream has failed already.
          if (signal.aborted) return
          if (!done) return controller.enqueue(value)
          finish()
          controller.close()
        } catch (error) {
          if (!signal.aborted) fail(controller, error)
        }
      },
      cancel(reason) {
        finish()
        return reader.cancel(reason)
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD }),
  )
  const { status, statusText, headers, url } = response
  const known = status >= 200 && status < 600 ? status : 599
  state.copy = withHead(new Response(body, { status: known, statusText, headers }), { status, url })
  return state.copy
}

/** A Response that is made by hand has no URL and only the statuses of the standard, and so have its clones. */
function withHead(response: Response, head: { readonly status: number; readonly url: string }): Response {
  return Object.defineProperties(response, {
    status: { value: head.status },
    url: { value: head.url },
    clone: { value: () => withHead(Response.prototype.clone.call(response), head) },
  })
}
