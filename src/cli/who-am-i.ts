import { type AwsCredentialIdentity, createSignedFetch } from '../signing/index.ts'

/** The identity of credentials. */
export interface CallerIdentity {
  readonly arn: string
  readonly account: string
}

/** Suffixes of host names in other partitions, by the start of the region's name. */
const SUFFIXES: readonly (readonly [start: string, suffix: string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['eusc-', 'amazonaws.eu'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['us-isof-', 'csp.hci.ic.gov'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
  ['us-iso-', 'c2s.ic.gov'],
]

/** URL of a region's STS, or the URL from AWS's environment variables. */
export function stsUrl(region: string, env: NodeJS.ProcessEnv): string {
  const suffix = SUFFIXES.find(([start]) => region.startsWith(start))?.[1] ?? 'amazonaws.com'
  return env.AWS_ENDPOINT_URL_STS || env.AWS_ENDPOINT_URL || `https://sts.${region}.${suffix}`
}

/**
 * Asks STS for the identity of credentials. No policy can deny this request.
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
export async function whoAmI(
  credentials: AwsCredentialIdentity,
  region: string,
  url: string,
  signal: AbortSignal,
): Promise<CallerIdentity> {
  const signedFetch = createSignedFetch({ credentials, region, service: 'sts' })
  const response = await signedFetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: 'Action=GetCallerIdentity&Version=2011-06-15',
    signal,
  })
  const text = await response.text()
  const read = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
  const [arn, account] = [read('Arn'), read('Account')]
  if (response.ok && arn !== undefined && account !== undefined) return { arn, account }
  const parts = [read('Code'), read('Message')].filter((part) => part !== undefined)
  throw new Error(`STS returned ${[response.status, ...parts].join(': ')}`)
}
