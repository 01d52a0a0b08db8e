/** What signatures are for: AWS region and signing name of the service. */
export interface Endpoint {
  readonly region: string
  readonly signingName: string
}

/** Hosts that name their region, which is the pattern's group, and the signing name of what answers there. */
const HOSTS: readonly (readonly [pattern: RegExp, signingName: string])[] = [
  // Commercial and GovCloud, China, EU sovereign; `{id}-{vpce}` for private APIs.
  [/^[^.]+\.execute-api\.([a-z\d-]+)\.amazonaws\.(?:com|com\.cn|eu)$/, 'execute-api'],
  // A VPC endpoint's own name, which needs the header `x-apigw-api-id` beside it.
  [/^[^.]+\.execute-api\.([a-z\d-]+)\.vpce\.amazonaws\.(?:com|com\.cn|eu)$/, 'execute-api'],
  [/^[^.]+\.lambda-url\.([a-z\d-]+)\.on\.aws$/, 'lambda'],
  [/^(?:[^.]+\.)+vpc-lattice-svcs\.([a-z\d-]+)\.on\.aws$/, 'vpc-lattice-svcs'],
  [/^[^.]+\.appsync-api\.([a-z\d-]+)\.amazonaws\.(?:com|com\.cn)$/, 'appsync'],
]

/** What options say of an endpoint, and what is taken where neither they nor the host say anything. */
export interface EndpointOptions {
  readonly region?: string | undefined
  readonly signingName?: string | undefined
  readonly defaultRegion?: string | undefined
}

/** Brings host and options together; where they contradict each other, or tell no region, a text says so. */
export function resolveEndpoint(hostname: string, options: EndpointOptions): Endpoint | string {
  const host = readHost(hostname)
  for (const key of ['region', 'signingName'] as const) {
    const [ofHost, ofOption] = [host[key], options[key]]
    if (ofHost !== undefined && ofOption !== undefined && ofHost !== ofOption) {
      return `the host's ${key} is '${ofHost}', but the option says '${ofOption}'`
    }
  }
  const region = host.region ?? options.region ?? options.defaultRegion
  if (region === undefined) return 'the host names no region, and AWS_REGION is not set'
  return { region, signingName: host.signingName ?? options.signingName ?? 'execute-api' }
}

function readHost(hostname: string): Partial<Endpoint> {
  for (const [pattern, signingName] of HOSTS) {
    const region = pattern.exec(hostname)?.[1]
    if (region !== undefined) return { region, signingName }
  }
  return {}
}
