import { PassThrough } from 'node:stream'

/** What a client of a streaming function gets; `metadata` are status and headers. */
export interface StreamedResponse extends PassThrough {
  readonly metadata?: object
}

type StreamingHandler = (event: object, response: StreamedResponse, context: object) => Promise<void>

// The global of Lambda's runtime, as much of it as Middy uses. It must be there before `middy()` is called.
Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: StreamingHandler) => handler,
    HttpResponseStream: {
      from: (response: StreamedResponse, metadata: object) => Object.assign(response, { metadata }),
    },
  },
})

/** Invokes a function as the runtime does. The response is being written until `end` settles. */
export function invokeStreaming(
  handler: unknown,
  event: object,
): { readonly response: StreamedResponse; readonly end: Promise<void> } {
  const response = new PassThrough()
  const context = { awsRequestId: 'local', getRemainingTimeInMillis: () => 10_000 }
  return { response, end: (handler as StreamingHandler)(event, response, context) }
}
