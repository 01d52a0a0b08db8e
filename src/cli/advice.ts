import {
  type AuthReason,
  ServiceAuthError,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
  ServiceTimeoutError,
} from '../errors/index.ts'

/** What a person at a terminal can do, after the hint that the error itself has. */
const NEXT_STEPS: Readonly<Record<AuthReason, string>> = {
  'access-denied': 'A changed policy takes up to a minute to count. `doctor --whoami` says who the caller is.',
  'signature-mismatch':
    'Set access key, secret key and session token again, all from one source. Look for a proxy that changes requests.',
  'signature-expired': "Synchronise this machine's clock (NTP), and call again.",
  'signature-not-yet-current': "Synchronise this machine's clock (NTP), and call again.",
  'invalid-token':
    'Sign in again, or set all three variables again: AWS_SESSION_TOKEN may be left over from other keys. `doctor --whoami` says whose they are.',
  'expired-token': 'Sign in again, for instance with `aws sso login`, or export new credentials.',
  'missing-token': 'Compare method, path and stage with those of the API, and deploy the stage.',
  'wrong-scope': 'Here, give --region and --signing-name.',
  forbidden:
    'Begin with the execute-api:Invoke permission for an HTTP API, with API key and WAF for a REST API, and with the resource policy for a private API.',
}

const DNS =
  'DNS: check the host name, whether the API still exists, DNS support of the VPC, and for a private API that this machine is in its VPC.'
const NO_WAY =
  'No way there: a function in a VPC needs a NAT gateway or an interface endpoint for execute-api, and its security group must let port 443 out.'
const CERTIFICATE =
  'The host shows a certificate that is not trusted for its name: check the custom domain, where DNS leads, and behind a tunnel the option --host.'
const CUT =
  'The connection ended early. If it does so again, look for a proxy or a firewall, or a crash of the service.'
const OTHER_NETWORK = 'Check the VPC configuration, security groups, and the network of this machine.'

const BY_NETWORK_CODE: Readonly<Record<string, string>> = {
  ENOTFOUND: DNS,
  EAI_AGAIN: DNS,
  ETIMEDOUT: NO_WAY,
  UND_ERR_CONNECT_TIMEOUT: NO_WAY,
  EHOSTUNREACH: NO_WAY,
  ENETUNREACH: NO_WAY,
  ECONNREFUSED: 'Nothing listens there: check host and port, and whether a local gateway has been closed.',
  ECONNRESET: CUT,
  EPIPE: CUT,
  UND_ERR_SOCKET: CUT,
  CERT_HAS_EXPIRED: "The host's certificate has expired: renew it, or have ACM renew it.",
}

/** What to do about a connection that failed with a code of Node.js or the system. */
export function adviseNetwork(code: string): string {
  const known = Object.hasOwn(BY_NETWORK_CODE, code) ? BY_NETWORK_CODE[code] : undefined
  return known ?? (/CERT|SELF_SIGNED|TLS|ISSUER|SSL/.test(code) ? CERTIFICATE : OTHER_NETWORK)
}

/** What to do about a variable or option that is wrong. */
export function adviseConfiguration(problem: string): string {
  if (problem.endsWith('API Gateway URL not set')) {
    const [variable] = problem.split(':')
    return `Set it in the function's environment, and here by export or --env-file: ${variable}=https://<id>.execute-api.<region>.amazonaws.com/<stage>`
  }
  if (problem.includes('but the option says')) return 'Leave --region and --signing-name out: the host says both.'
  if (problem.includes('AWS_REGION')) return 'Give --region, or set AWS_REGION.'
  if (problem.includes('set region and signingName')) return 'Give --region and --signing-name.'
  return problem.includes('allowHttp')
    ? 'Use https, or give --allow-http for SAM local, LocalStack and the like.'
    : 'Correct the variable: the base URL of the service, with its stage.'
}

/** What to do about a failed call, beside what its message says; undefined where that is all. */
export function adviseCall(error: unknown): string | undefined {
  if (error instanceof ServiceAuthError) return NEXT_STEPS[error.reason]
  if (error instanceof ServiceThrottledError) {
    return error.hint === undefined ? 'The service itself asks for fewer calls: wait, and call again.' : undefined
  }
  if (error instanceof ServiceTimeoutError) {
    return 'The service takes too long: see its duration and logs, raise --timeout here, raise the timeout of the calling function, or let the service take a job and answer with its id.'
  }
  if (error instanceof ServiceNetworkError) return adviseNetwork(error.networkCode)
  if (error instanceof ServiceResponseError) return adviseStatus(error.status)
  if (error instanceof ServicesConfigurationError) return error.problems.map(adviseConfiguration).join('\n')
  return error instanceof ServiceRequestError && error.message.includes(': no credentials: ')
    ? 'Export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or give --profile, and sign in before.'
    : undefined
}

function adviseStatus(status: number): string {
  if (status < 400) return 'Redirects are not followed: call the address that it names.'
  switch (status) {
    case 401:
    case 403:
      return "The service's own refusal, not the gateway's: IAM has let the call through. Look at the body."
    case 404:
      return 'The gateway let the call through, or is an HTTP API without this route: check method and path.'
    case 413:
      return 'API Gateway takes 10 MB, Lambda 6 MB: send larger content through S3.'
    case 502:
      return "The integration failed, or its answer is malformed: see the function's log."
    case 503:
      return 'The service or its integration is not available now: call again, then see its log.'
    case 504:
      return 'The integration took longer than the gateway waits (29 seconds by default): see its log, or work asynchronously.'
    default:
      return status < 500 ? 'The service refuses the request: look at the body.' : 'The service failed: see its log.'
  }
}
