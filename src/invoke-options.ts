/** `GET`, `POST`, `PUT`, `PATCH`, `DELETE` or `HEAD`, in any case. */
export type HttpMethod = string

/** Values of a query, added to those that the path has; undefined ones are left out. */
export type QueryParams = Readonly<Record<string, string | number | boolean | undefined>>

/** What one invocation may set. */
export interface InvokeOptions {
  /**
   * Milliseconds an attempt may take, headers and body together.
   * @default 30_000
   */
  readonly timeout?: number | undefined
  /** Ends the invocation with its own reason. Default: none. */
  readonly signal?: AbortSignal | undefined
  /** Sent with the request, beside those that every call has. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** One of a batch; the members are the parameters of `invokeApiGateway`. */
export interface BatchRequest {
  /** Base URL, stage included. */
  readonly apiUrl: string
  /** HTTP method, in any case. */
  readonly method: HttpMethod
  /** Path below `apiUrl`. */
  readonly path: string
  /** Sent as JSON, unless it is bytes, a form or a stream already; text is taken for JSON that is written already. */
  readonly body?: unknown
  /** Added to the query. */
  readonly queryParams?: QueryParams | undefined
  /** Bounds and headers of this request alone. */
  readonly options?: InvokeOptions | undefined
}

/** Options of `batchInvokeApiGateway`. */
export interface BatchOptions {
  /**
   * Requests that may be under way at a time, at least 1.
   * @default 10
   */
  readonly concurrency?: number | undefined
}

/** Calls one service. */
export interface InvokeService {
  /**
   * Calls the service and gives its answer's JSON, undefined for an empty one.
   * @param path Path below the service's base URL, with or without a leading slash.
   * @param method HTTP method, in any case; GET by default.
   * @param body Sent as JSON, unless it is bytes, a form or a stream already; text is taken for JSON that is written
   * already. Undefined and null are no body.
   * @param queryParams Added to the query; undefined values are left out.
   * @param options Bounds and headers of this call.
   * @throws ServicesConfigurationError by the promise, for a variable that is not set or cannot be called: it is read now
   * @throws ServiceError by the promise
   */
  // biome-ignore lint/style/useShorthandFunctionType: editors show what is said of the signature, not of its type
  <T = unknown>(
    path: string,
    method?: HttpMethod,
    body?: unknown,
    queryParams?: QueryParams,
    options?: InvokeOptions,
  ): Promise<T>
}
