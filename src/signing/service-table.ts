import { type Check, must, OPTION_DIFFERS, type RejectionRules, SET_REGION_AND_SIGNING_NAME } from '../errors/index.ts'

/** Signing rules and limits of one kind of AWS service. */
export interface ServiceKind extends RejectionRules {
  /** Signing name of the AWS service, part of the credential scope. */
  readonly signingName: string
  /** Patterns of host names. Their first group is the region. */
  readonly hosts: readonly RegExp[]
  /** Pattern of paths, if another kind has the same hosts. */
  readonly paths?: RegExp
  /**
   * How a path is signed. `twice`: repeated slashes are collapsed, and the sent path is encoded once more. `once`: the
   * path is signed as it is sent, because each slash is part of an object's key.
   */
  readonly pathEncoding: 'twice' | 'once'
  /** Whether the body's hash is signed. */
  readonly payload: 'signed' | 'unsigned'
  /** Limit of a request's body, in bytes. */
  readonly maxBodySize?: number
}

/**
 * Suffixes of AWS host names: first IPv4 only, then dual-stack, one for each partition.
 * @see https://docs.aws.amazon.com/general/latest/gr/rande.html
 */
const SUFFIXES = [
  'amazonaws.com',
  'amazonaws.com.cn',
  'amazonaws.eu',
  'c2s.ic.gov',
  'sc2s.sgov.gov',
  'cloud.adc-e.uk',
  'csp.hci.ic.gov',
  'api.aws',
  'api.amazonwebservices.com.cn',
  'api.amazonwebservices.eu',
  'api.aws.ic.gov',
  'api.aws.scloud',
  'api.cloud-aws.adc-e.uk',
  'api.aws.hci.ic.gov',
] as const

const suffix = `(?:${SUFFIXES.join('|').replaceAll('.', '\\.')})`
const region = '([a-z]{2,}(?:-[a-z]+)+-\\d{1,2})'

/** Patterns of host names. FIPS endpoints have `-fips` after the name of the service. */
const host = (pattern: string) => new RegExp(`^${pattern}$`)
const regional = (service: string) => host(`[^.]+\\.${service}(?:-fips)?\\.${region}\\.${suffix}`)

/**
 * API Gateway's limit of a request's body, in bytes.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
 */
const MAX_API_BODY = 10_485_760

/** `{id}` or `{id}-{vpce}`, and the name of a VPC endpoint, which requires the header `x-apigw-api-id`. */
const apiHosts = [regional('execute-api'), host(`[^.]+\\.execute-api\\.${region}\\.vpce\\.${suffix}`)]

const usual = { hosts: [], pathEncoding: 'twice', payload: 'signed', actions: [], limitExceeded: 'throttled' } as const

/** REST, HTTP and WebSocket APIs of API Gateway. */
const api: ServiceKind = {
  ...usual,
  signingName: 'execute-api',
  hosts: apiHosts,
  maxBodySize: MAX_API_BODY,
  actions: ['execute-api:Invoke'],
  limitExceeded: 'quota',
}

/** All known kinds. The first one that matches is used. */
const KINDS: readonly ServiceKind[] = [
  // Connection management of a WebSocket API.
  {
    ...api,
    paths: /\/(?:@|%40)connections(?:\/|$)/i,
    actions: ['execute-api:ManageConnections'],
    limitExceeded: 'throttled',
  },
  api,
  {
    ...usual,
    signingName: 'lambda',
    hosts: [host(`[^.]+\\.lambda-url\\.${region}\\.on\\.aws`)],
    // Both are required since October 2025: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    actions: ['lambda:InvokeFunctionUrl', 'lambda:InvokeFunction'],
  },
  {
    ...usual,
    signingName: 'appsync',
    hosts: [regional('appsync-api')],
    actions: ['appsync:GraphQL'],
    hasErrorList: true,
  },
  {
    ...usual,
    signingName: 'vpc-lattice-svcs',
    hosts: [host(`(?:[^.]+\\.)+vpc-lattice-svcs\\.${region}\\.on\\.aws`)],
    payload: 'unsigned',
    actions: ['vpc-lattice-svcs:Invoke'],
  },
  {
    ...usual,
    signingName: 's3',
    hosts: [host(`(?:[^.]+\\.)*s3(?:-fips)?(?:\\.dualstack)?\\.${region}\\.${suffix}`)],
    pathEncoding: 'once',
  },
  { ...usual, signingName: 's3-object-lambda', pathEncoding: 'once' },
  { ...usual, signingName: 's3-outposts', pathEncoding: 'once' },
  { ...usual, signingName: 's3express', pathEncoding: 'once' },
]

/** The kind of a service, by its signing name and the path of the URL. */
export function findKind(signingName: string, path = ''): ServiceKind {
  const found = KINDS.find((kind) => kind.signingName === signingName && (kind.paths?.test(path) ?? true))
  return found ?? { ...usual, signingName }
}

/** AWS region and signing name of the service to sign for. */
export interface Endpoint {
  readonly region: string
  readonly signingName: string
}

/** Options for an endpoint, and the region if neither options nor host contain one. */
export interface EndpointOptions {
  readonly region?: string | undefined
  readonly signingName?: string | undefined
  readonly defaultRegion?: string | undefined
}

/**
 * Combines host and options. Returns a text that describes the problem if they contradict each other or are incomplete.
 */
export function resolveEndpoint(hostname: string, options: EndpointOptions): Endpoint | string {
  const known = readHost(hostname)
  for (const key of ['region', 'signingName'] as const) {
    const [ofHost, ofOption] = [known?.[key], options[key]]
    if (ofHost !== undefined && ofOption !== undefined && ofHost !== ofOption) {
      return `the host's ${key} is '${ofHost}', ${OPTION_DIFFERS} '${ofOption}'`
    }
  }
  const isComplete = options.region !== undefined && options.signingName !== undefined
  if (known === undefined && isAwsHost(hostname) && !isComplete) {
    return `an AWS host of an unknown service: ${SET_REGION_AND_SIGNING_NAME}`
  }
  const found = known?.region ?? options.region ?? options.defaultRegion
  if (found === undefined) return 'the host name contains no region, and AWS_REGION is not set'
  return { region: found, signingName: known?.signingName ?? options.signingName ?? api.signingName }
}

function readHost(hostname: string): Endpoint | undefined {
  for (const { hosts, signingName } of KINDS) {
    for (const pattern of hosts) {
      const found = pattern.exec(hostname)?.[1]
      if (found !== undefined) return { region: found, signingName }
    }
  }
  return undefined
}

function isAwsHost(hostname: string): boolean {
  return hostname.endsWith('.on.aws') || SUFFIXES.some((end) => hostname.endsWith(`.${end}`))
}

const regionPattern = new RegExp(`^${region}$`)

/** Accepts a region that a credential scope can contain. */
export const regionCheck: Check = must(
  'a region such as eu-central-1',
  (value) => typeof value === 'string' && isRegion(value.trim()),
)

/** Accepts a signing name that a credential scope can contain. */
export const signingNameCheck: Check = must(
  'a signing name such as execute-api',
  (value) => typeof value === 'string' && /^[\w.-]+$/.test(value),
)

export function isRegion(text: string): boolean {
  return regionPattern.test(text)
}
