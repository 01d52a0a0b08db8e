import type { AuthReason } from './service-errors.ts'

/** What is known of a refused call. */
export interface RefusedCall {
  readonly method: string
  readonly path: string
  /** Where the service is. */
  readonly url?: string | undefined
  /** What was signed. */
  readonly canonicalRequest?: string | undefined
}

/** More of them tell no more. */
const MAX_DIFFERENCES = 5

/** What a person can do about a refusal, for the message that came with it. */
export function hintFor(reason: AuthReason, call: RefusedCall, message: string): string {
  switch (reason) {
    case 'access-denied':
      return accessHint(message)
    case 'signature-mismatch':
      return mismatchHint(call, message)
    case 'signature-expired':
    case 'signature-not-yet-current':
      return "The machine's clock and the gateway's differ by more than five minutes, and stayed so after one correction: check the machine's clock."
    case 'expired-token':
      return 'The session token has expired, and no other credentials were to be had: credentials that are handed over must be renewed, or a provider function given in their place.'
    case 'invalid-token':
      return 'The access key or session token is unknown to AWS: key, secret and token must come from one identity, of an account and partition that this gateway belongs to.'
    case 'missing-token':
      return `A REST API answers so for a route, method or stage that it does not have: check that ${call.method} ${call.path} exists and is deployed${call.url ? ` below ${call.url}` : ''}.`
    case 'forbidden':
      return 'Refused by a gateway that says no more, or by the service itself: check the execute-api:Invoke permission, the API key, WAF rules, the resource policy, and for private APIs the VPC endpoint and the stage.'
  }
}

function accessHint(message: string): string {
  const {
    principal,
    action = 'execute-api:Invoke',
    resource,
  } = /User: (?<principal>\S+) is not authorized to perform: (?<action>\S+)(?: on resource: (?<resource>\S+))?/.exec(
    message,
  )?.groups ?? {}
  const policy =
    /\b(identity|resource|session|permissions boundary|service control|VPC endpoint)(?:-based)? polic(?:y|ies)/.exec(
      message,
    )?.[1]
  if (message.includes('explicit deny')) {
    const place = policy === undefined ? 'a policy' : `${/^[aeiou]/.test(policy) ? 'an' : 'a'} ${policy} policy`
    return `An explicit deny in ${place} refuses ${principal ?? 'the caller'}; no allow outweighs it, the deny itself must go or except this caller.`
  }
  if (principal === 'anonymous') {
    return 'The gateway took the call for unsigned: something on the way has removed its signature, or the route has another kind of authorization.'
  }
  // API Gateway masks the account id, which a policy needs whole, or as a wildcard.
  const arn = resource?.replace(/:\*+\d+:/, ':*:') ?? 'arn:aws:execute-api:*:*:*'
  const statement = JSON.stringify({ Effect: 'Allow', Action: action, Resource: arn })
  const place =
    policy === undefined || policy === 'identity'
      ? `the policy of ${roleOf(principal)}`
      : `the ${policy} policy, for ${roleOf(principal)}`
  return `Allow it in ${place}: ${statement}`
}

/** Policies belong to the role, not to the session that assumed it. */
function roleOf(principal: string | undefined): string {
  const { account, role } =
    principal?.match(/arn:[\w-]+:sts::(?<account>\d+):assumed-role\/(?<role>[^/]+)\//)?.groups ?? {}
  return role === undefined ? (principal ?? "the function's role") : `the role ${role} (account ${account})`
}

function mismatchHint({ canonicalRequest: ours }: RefusedCall, message: string): string {
  if (message.includes('key=value pair')) {
    return 'The Authorization header that arrived is not the one that was sent: something on the way has changed it.'
  }
  const theirs = between(
    message,
    "The Canonical String for this request should have been\n'",
    "'\n\nThe String-to-Sign",
  )
  if (ours === undefined || theirs === undefined) {
    return 'The gateway signed something else: something on the way may have changed the request, or the secret does not belong to the access key.'
  }
  const differences = findDifferences(readCanonical(ours), readCanonical(theirs))
  if (differences.length === 0) {
    return 'Both canonical requests are the same: the secret access key is not the one of the access key.'
  }
  return `The canonical requests differ, so something changed the request on the way:\n${differences.join('\n')}`
}

function between(text: string, start: string, end: string): string | undefined {
  const from = text.indexOf(start)
  const to = text.indexOf(end, from)
  return from === -1 || to === -1 ? undefined : text.slice(from + start.length, to)
}

type Parts = Map<string, string | undefined>

/** The parts of a canonical request by their names, those of headers among them. */
function readCanonical(text: string): Parts {
  const [method, path, query, ...rest] = text.split('\n')
  const parts: Parts = new Map([
    ['method', method],
    ['path', path],
    ['query', query],
  ])
  const end = rest.indexOf('')
  for (const header of rest.slice(0, Math.max(0, end))) {
    const colon = header.indexOf(':')
    parts.set(`header ${header.slice(0, colon)}`, header.slice(colon + 1))
  }
  const [signedHeaders, payloadHash] = rest.slice(end + 1)
  return parts.set('signed headers', signedHeaders).set('payload hash', payloadHash)
}

function findDifferences(ours: Parts, theirs: Parts): string[] {
  const names = new Set([...ours.keys(), ...theirs.keys()])
  return [...names]
    .filter((name) => ours.get(name) !== theirs.get(name))
    .slice(0, MAX_DIFFERENCES)
    .map((name) => `  ${name}: sent ${show(ours.get(name))}, the gateway saw ${show(theirs.get(name))}`)
}

function show(part: string | undefined): string {
  return part === undefined ? 'nothing' : `'${part}'`
}
