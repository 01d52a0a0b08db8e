import { PassThrough } from 'node:stream'

/** The response of a streaming function. `metadata` holds status and headers. */
export interface StreamedResponse extends PassThrough {
  readonly metadata?: object
}

type StreamingHandler = (event: object, response: StreamedResponse, context: object) => Promise<void>

// The part of the Lambda runtime's global that Middy uses. Must exist before `middy()` is called.
Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: StreamingHandler) => handler,
    HttpResponseStream: {
      from: (response: StreamedResponse, metadata: object) => Object.assign(response, { metadata }),
    },
  },
})

/** Invokes a function as the runtime does. The function writes the response until `end` settles. */
export function invokeStreaming(
  handler: unknown,
  event: object,
): { readonly response: StreamedResponse; readonly end: Promise<void> } {
  const response = new PassThrough()
  const context = { awsRequestId: 'local', getRemainingTimeInMillis: () => 10_000 }
  return { response, end: (handler as StreamingHandler)(event, response, context) }
}
