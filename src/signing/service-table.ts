import { type Check, must } from '../errors/index.ts'

/** What is known of one kind of AWS service. */
export interface ServiceKind {
  /** Signing name of the AWS service, part of the credential scope. */
  readonly signingName: string
  /** Hosts that name their region, which is the pattern's group. */
  readonly hosts: readonly RegExp[]
  /** Paths of this kind, where it shares its hosts with another kind. */
  readonly paths?: RegExp
  /**
   * How a path is signed: `twice` encodes what is on the wire once more and collapses repeated slashes, `once` takes it as it
   * is, because each slash is part of an object's key.
   */
  readonly pathEncoding: 'twice' | 'once'
  /** Whether the body's hash is signed. */
  readonly payload: 'signed' | 'unsigned'
  /** Most bytes of a request's body. */
  readonly maxBodySize?: number
  /** IAM actions that a caller needs. */
  readonly actions: readonly string[]
  /** Whether refusals come in `errors[]` of the body, as GraphQL has them. */
  readonly hasErrorList?: boolean
  /** What `LimitExceededException` stands for: a usage plan's quota, or a rate that passes. */
  readonly limitExceeded: 'quota' | 'throttled'
}

/**
 * Ends of AWS's host names, by partition: IPv4 only, then dual-stack.
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

/** Each kind's host forms: FIPS endpoints have `-fips` behind their service's name. */
const host = (pattern: string) => new RegExp(`^${pattern}$`)
const regional = (service: string) => host(`[^.]+\\.${service}(?:-fips)?\\.${region}\\.${suffix}`)

/**
 * API Gateway's limit of a request's payload.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
 */
const MAX_API_BODY = 10_485_760

/** `{id}` or `{id}-{vpce}`, and a VPC endpoint's own name, which needs the header `x-apigw-api-id` beside it. */
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

/** What requests are signed for, and what is known of it; the first kind that fits counts. */
const KINDS: readonly ServiceKind[] = [
  // A WebSocket API's management of its connections.
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
    // Both, since October 2025: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
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

/** What is known of the service that a request is signed for; `path` is that of its URL. */
export function findKind(signingName: string, path = ''): ServiceKind {
  const found = KINDS.find((kind) => kind.signingName === signingName && (kind.paths?.test(path) ?? true))
  return found ?? { ...usual, signingName }
}

/** What signatures are for: AWS region and signing name of the service. */
export interface Endpoint {
  readonly region: string
  readonly signingName: string
}

/** What options say of an endpoint, and what is taken where neither they nor the host say anything. */
export interface EndpointOptions {
  readonly region?: string | undefined
  readonly signingName?: string | undefined
  readonly defaultRegion?: string | undefined
}

/** Brings host and options together. A text says where they contradict each other or do not say enough. */
export function resolveEndpoint(hostname: string, options: EndpointOptions): Endpoint | string {
  const known = readHost(hostname)
  for (const key of ['region', 'signingName'] as const) {
    const [ofHost, ofOption] = [known?.[key], options[key]]
    if (ofHost !== undefined && ofOption !== undefined && ofHost !== ofOption) {
      return `the host's ${key} is '${ofHost}', but the option says '${ofOption}'`
    }
  }
  const isComplete = options.region !== undefined && options.signingName !== undefined
  if (known === undefined && isAwsHost(hostname) && !isComplete) {
    return 'an AWS host of an unknown service: set region and signingName'
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

/** A region that a credential scope can hold. */
export const regionCheck: Check = must(
  'a region such as eu-central-1',
  (value: unknown) => typeof value === 'string' && isRegion(value.trim()),
)

/** A signing name that a credential scope can hold. */
export const signingNameCheck: Check = must(
  'a signing name such as execute-api',
  (value: unknown) => typeof value === 'string' && /^[\w.-]+$/.test(value),
)

export function isRegion(text: string): boolean {
  return regionPattern.test(text)
}
