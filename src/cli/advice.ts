import {
  type AuthReason,
  NO_CREDENTIALS,
  OPTION_ALLOW_HTTP,
  OPTION_DIFFERS,
  SET_REGION_AND_SIGNING_NAME,
  ServiceAuthError,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
  ServiceTimeoutError,
  URL_NOT_SET,
} from '../errors/index.ts'

/** Advice for the command line, in addition to the hint of the error. */
const NEXT_STEPS: Readonly<Record<AuthReason, string>> = {
  'access-denied': 'A policy change takes up to a minute to apply. `doctor --whoami` shows who the caller is.',
  'signature-mismatch':
    'Set access key, secret key and session token again, all from the same source. Look for a proxy that changes requests.',
  'signature-expired': "Synchronise this machine's clock (NTP), and call again.",
  'signature-not-yet-current': "Synchronise this machine's clock (NTP), and call again.",
  'invalid-token':
    'Sign in again, or set all three variables again: AWS_SESSION_TOKEN may belong to other keys. `doctor --whoami` shows whose they are.',
  'expired-token': 'Sign in again, for example with `aws sso login`, or export new credentials.',
  'missing-token': 'Check method, path and stage against the API, and deploy the stage.',
  'wrong-scope': 'On the command line, set --region and --signing-name.',
  forbidden:
    'First check the execute-api:Invoke permission for an HTTP API, the API key and the WAF for a REST API, and the resource policy for a private API.',
}

const DNS =
  'DNS: check the host name, whether the API still exists, and the DNS support of the VPC. For a private API, check that this machine is in its VPC.'
const NO_ROUTE =
  'No route to the host: a function in a VPC needs a NAT gateway or an interface endpoint for execute-api, and its security group must allow outbound port 443.'
const CERTIFICATE =
  "The host's certificate is not trusted for this host name: check the custom domain and its DNS records. Behind a tunnel, set --host."
const CUT =
  'The connection ended early. If this happens again, look for a proxy, a firewall, or a crash of the service.'
const OTHER_NETWORK = 'Check the VPC configuration, security groups, and the network of this machine.'

const BY_NETWORK_CODE: Readonly<Record<string, string>> = {
  ENOTFOUND: DNS,
  EAI_AGAIN: DNS,
  ETIMEDOUT: NO_ROUTE,
  UND_ERR_CONNECT_TIMEOUT: NO_ROUTE,
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  ECONNREFUSED: 'Nothing listens on this port: check host and port, and whether a local gateway was closed.',
  ECONNRESET: CUT,
  EPIPE: CUT,
  UND_ERR_SOCKET: CUT,
  CERT_HAS_EXPIRED: "The host's certificate has expired: renew it, or have ACM renew it.",
}

/** Advice for a failed connection, by its error code. */
export function adviseNetwork(code: string): string {
  const known = Object.hasOwn(BY_NETWORK_CODE, code) ? BY_NETWORK_CODE[code] : undefined
  return known ?? (/CERT|SELF_SIGNED|TLS|ISSUER|SSL/.test(code) ? CERTIFICATE : OTHER_NETWORK)
}

/** Advice for an invalid variable or option. */
export function adviseConfiguration(problem: string): string {
  if (problem.endsWith(URL_NOT_SET)) {
    const [variable] = problem.split(':')
    return `Set it in the function's environment variables. For this command, export it or use --env-file: ${variable}=https://<id>.execute-api.<region>.amazonaws.com/<stage>`
  }
  if (problem.includes(OPTION_DIFFERS)) return 'Omit --region and --signing-name: the host name contains both.'
  if (problem.includes('AWS_REGION')) return 'Set --region or AWS_REGION.'
  if (problem.includes(SET_REGION_AND_SIGNING_NAME)) return 'Set --region and --signing-name.'
  return problem.includes(OPTION_ALLOW_HTTP)
    ? 'Use https. For a local service such as SAM local or LocalStack, set --allow-http.'
    : 'Correct the variable: it must be the base URL of the service, with its stage.'
}

/** Advice for a failed call, in addition to its message. Undefined without any. */
export function adviseCall(error: unknown): string | undefined {
  if (error instanceof ServiceAuthError) return NEXT_STEPS[error.reason]
  if (error instanceof ServiceThrottledError) {
    return error.hint === undefined ? 'The service itself limits the rate: wait, then call again.' : undefined
  }
  if (error instanceof ServiceTimeoutError) {
    return 'The service is too slow: check its duration and logs. Raise --timeout and the timeout of the calling function, or make the service return a job id and work asynchronously.'
  }
  if (error instanceof ServiceNetworkError) return adviseNetwork(error.networkCode)
  if (error instanceof ServiceResponseError) return adviseStatus(error.status)
  if (error instanceof ServicesConfigurationError) return error.problems.map(adviseConfiguration).join('\n')
  return error instanceof ServiceRequestError && error.message.includes(`: ${NO_CREDENTIALS}`)
    ? 'Export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or sign in and set --profile.'
    : undefined
}

function adviseStatus(status: number): string {
  if (status < 400) return 'Redirects are not followed: call the address in the location header.'
  switch (status) {
    case 401:
    case 403:
      return 'The service itself rejected the request: IAM allowed the call. Check the response body.'
    case 404:
      return 'The service returned this status, or an HTTP API has no such route: check method and path.'
    case 413:
      return 'API Gateway accepts 10 MB, Lambda 6 MB: send larger content through S3.'
    case 502:
      return "The integration failed, or its response is malformed: check the function's log."
    case 503:
      return 'The service or its integration is unavailable: call again, then check its log.'
    case 504:
      return 'The integration exceeded the timeout of the gateway (29 seconds by default): check its log, or work asynchronously.'
    default:
      return status < 500
        ? 'The service rejected the request: check the response body.'
        : 'The service failed: check its log.'
  }
}
