/** What a host tells of how requests to it are signed; empty for a custom domain. */
export interface Endpoint {
  readonly signingName?: string
  readonly region?: string
}

const EXECUTE_API = /^[^.]+\.execute-api\.([a-z\d-]+)\.amazonaws\.com(?:\.cn)?$/

/** Reads signing name and region from an API Gateway host, `{id}.execute-api.{region}.amazonaws.com`. */
export function readEndpoint(hostname: string): Endpoint {
  const region = EXECUTE_API.exec(hostname)?.[1]
  return region === undefined ? {} : { signingName: 'execute-api', region }
}
