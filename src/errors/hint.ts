import { redactText } from './redact.ts'
import type { RefusalRules } from './refusal.ts'
import type { AuthReason } from './service-errors.ts'

/** What is known of a refused call. */
export interface RefusedCall {
  readonly method: string
  readonly path: string
  /** Base URL of the service. */
  readonly url?: string | undefined
  /** What was signed last. */
  readonly canonicalRequest?: string | undefined
  /** What signatures are for. */
  readonly scope: { readonly region: string; readonly signingName: string }
  readonly refusals: RefusalRules
  /** What must not be shown. */
  readonly secrets: ReadonlySet<string>
  /** What the call has tried before it gave up. */
  readonly tried: ReadonlySet<Remedy>
}

/** What another signature was tried with. */
export type Remedy = 'other credentials' | 'corrected clock' | 'fresh signature'

/** Longest part of a canonical request in a hint. */
const MAX_PART = 200

/** More of them tell no more. */
const MAX_DIFFERENCES = 5

/** What a person can do about a refusal, for the message that came with it. */
export function hintFor(reason: AuthReason, call: RefusedCall, message: string): string {
  switch (reason) {
    case 'access-denied':
      return accessHint(message, call)
    case 'signature-mismatch':
      return mismatchHint(call, message)
    case 'signature-expired':
    case 'signature-not-yet-current':
      return timeHint(reason, call)
    case 'expired-token':
      return `The session token has expired, and ${call.tried.has('other credentials') ? 'the gateway also rejected the renewed credentials' : 'the credential source returned no new credentials'}. Renew the credentials, or pass a provider function instead.`
    case 'invalid-token':
      return 'AWS does not know the access key or the session token. Take access key, secret key and session token from one identity, in the AWS partition of the gateway.'
    case 'missing-token':
      return `A REST API returns this error for a route, method or stage that does not exist. Check that ${call.method} ${call.path} exists and is deployed${call.url ? ` below ${call.url}` : ''}.`
    case 'wrong-scope':
      return `The request was signed for the region '${call.scope.region}' and the service '${call.scope.signingName}', but the gateway expects another one. Set the option region or signingName to the gateway's.`
    case 'forbidden':
      return `The gateway rejected the call without a reason. Check the permission ${list(call.refusals.actions)}, the API key, WAF rules and the resource policy. For a private API, also check the VPC endpoint and the stage.`
  }
}

/** What a person can do about too many calls. */
export function throttlingHint(quota: boolean): string {
  return quota
    ? "The usage plan's quota is used up, so the call was not retried. Raise the quota, or wait until its period ends."
    : 'The gateway rejected the call for its rate limit before any code ran. Raise the limits of the stage or the account, or send fewer calls at once.'
}

function timeHint(reason: AuthReason, { tried }: RefusedCall): string {
  if (tried.has('corrected clock')) {
    return "The clocks of the machine and the gateway differ by more than five minutes, even after one correction. Check the machine's clock."
  }
  return tried.has('fresh signature') && reason === 'signature-expired'
    ? 'The signature was more than five minutes old when it arrived, and so was a second one. Look for a proxy or a queue that delays requests.'
    : "The signature's time differs from the gateway's clock by more than five minutes, but the response's Date header does not show this. Check the machine's clock, and look for a proxy that changes the Date header."
}

function list(actions: readonly string[]): string {
  return actions.length === 0 ? 'to call it' : actions.join(' and ')
}

function accessHint(message: string, { refusals }: RefusedCall): string {
  const { principal, action, resource } =
    /User: (?<principal>\S+) is not authorized to perform: (?<action>\S+)(?: on resource: (?<resource>\S+))?/.exec(
      message,
    )?.groups ?? {}
  const policy =
    /\b(identity|resource|session|permissions boundary|service control|VPC endpoint)(?:-based)? polic(?:y|ies)/.exec(
      message,
    )?.[1]
  if (message.includes('explicit deny')) {
    const place = policy === undefined ? 'a policy' : `${/^[aeiou]/.test(policy) ? 'an' : 'a'} ${policy} policy`
    return `An explicit deny in ${place} applies to ${principal ?? 'the caller'}. No allow overrides it: remove the deny, or exempt this caller from it.`
  }
  if (principal === 'anonymous') {
    return 'The gateway treated the request as unsigned. Something on the way removed the signature, or the route does not use IAM authorization.'
  }
  const place =
    policy === undefined || policy === 'identity'
      ? `the policy of ${roleOf(principal)}`
      : `the ${policy} policy, for ${roleOf(principal)}`
  // A function URL needs two permissions, of which a refusal names one.
  const isListed = action === undefined || refusals.actions.includes(action)
  const actions = isListed ? refusals.actions : [action]
  const [first] = actions
  if (first === undefined) return `Allow the call in ${place}.`
  // API Gateway masks the account id, which a policy needs whole, or as a wildcard.
  const arn = resource?.replace(/:\*+\d+:/, ':*:') ?? `arn:aws:${first.split(':')[0]}:*:*:*`
  const statement = JSON.stringify({
    Effect: 'Allow',
    Action: actions.length === 1 ? first : actions,
    Resource: arn,
  })
  return `Add this statement to ${place}: ${statement}`
}

/** Policies belong to the role, not to the session that assumed it. */
function roleOf(principal: string | undefined): string {
  const { account, role } =
    principal?.match(/arn:[\w-]+:sts::(?<account>\d+):assumed-role\/(?<role>[^/]+)\//)?.groups ?? {}
  return role === undefined ? (principal ?? "the function's role") : `the role ${role} (account ${account})`
}

function mismatchHint({ canonicalRequest: ours, secrets }: RefusedCall, message: string): string {
  if (message.includes('key=value pair')) {
    return 'Something on the way changed the Authorization header: the gateway did not receive the header that the client sent.'
  }
  const theirs = between(
    message,
    "The Canonical String for this request should have been\n'",
    "'\n\nThe String-to-Sign",
  )
  if (ours === undefined || theirs === undefined) {
    return 'The gateway computed another signature. Something on the way changed the request, or the secret access key does not belong to the access key.'
  }
  const differences = findDifferences(readCanonical(ours), readCanonical(theirs), secrets)
  if (differences.length === 0) {
    return 'The canonical requests are the same, so the secret access key does not belong to the access key.'
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

function findDifferences(ours: Parts, theirs: Parts, secrets: ReadonlySet<string>): string[] {
  const names = new Set([...ours.keys(), ...theirs.keys()])
  return [...names]
    .filter((name) => ours.get(name) !== theirs.get(name))
    .slice(0, MAX_DIFFERENCES)
    .map(
      (name) =>
        `  ${name}: sent ${show(ours.get(name), secrets)}, the gateway received ${show(theirs.get(name), secrets)}`,
    )
}

function show(part: string | undefined, secrets: ReadonlySet<string>): string {
  if (part === undefined) return 'nothing'
  // Before it is cut: half a secret is not found any more.
  const shown = redactText(part, secrets)
  return `'${shown.length > MAX_PART ? `${shown.slice(0, MAX_PART)}...` : shown}'`
}
