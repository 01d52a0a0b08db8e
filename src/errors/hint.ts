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
      return `The session token has expired, and ${call.tried.has('other credentials') ? 'the credentials that were tried next were refused, too' : 'the credential source gave no other one'}: renew the credentials, or give a provider function in their place.`
    case 'invalid-token':
      return 'The access key or session token is unknown to AWS: key, secret and token must come from one identity, of an account and partition that this gateway belongs to.'
    case 'missing-token':
      return `A REST API answers so for a route, method or stage that it does not have: check that ${call.method} ${call.path} exists and is deployed${call.url ? ` below ${call.url}` : ''}.`
    case 'wrong-scope':
      return `The request was signed for the region '${call.scope.region}' and the service '${call.scope.signingName}', which this gateway is not: set the option region or signingName to what it asks for.`
    case 'forbidden':
      return `The gateway refused the call and says no more: check the permission ${list(call.refusals.actions)}, the API key, WAF rules, the resource policy, and for private APIs the VPC endpoint and the stage.`
  }
}

/** What a person can do about too many calls. */
export function throttlingHint(quota: boolean): string {
  return quota
    ? "The usage plan's quota is used up, so the call was not retried: raise the quota, or wait until its period ends."
    : "The gateway rejected the call for its rate limit before any code ran: raise the stage's or the account's limits, or send fewer calls at once."
}

function timeHint(reason: AuthReason, { tried }: RefusedCall): string {
  if (tried.has('corrected clock')) {
    return "The machine's clock and the gateway's differ by more than five minutes, and stayed so after one correction: check the machine's clock."
  }
  return tried.has('fresh signature') && reason === 'signature-expired'
    ? 'The signature was more than five minutes old when it arrived, and so was a fresh one: look for a proxy or a queue that holds requests back.'
    : "The signature's time is more than five minutes off the gateway's, but the response's Date header does not say so: check the machine's clock, and what lies between."
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
    return `An explicit deny in ${place} refuses ${principal ?? 'the caller'}; no allow outweighs it, the deny itself must go or except this caller.`
  }
  if (principal === 'anonymous') {
    return 'The gateway took the call for unsigned: something on the way has removed its signature, or the route has another kind of authorization.'
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
  return `Allow it in ${place}: ${statement}`
}

/** Policies belong to the role, not to the session that assumed it. */
function roleOf(principal: string | undefined): string {
  const { account, role } =
    principal?.match(/arn:[\w-]+:sts::(?<account>\d+):assumed-role\/(?<role>[^/]+)\//)?.groups ?? {}
  return role === undefined ? (principal ?? "the function's role") : `the role ${role} (account ${account})`
}

function mismatchHint({ canonicalRequest: ours, secrets }: RefusedCall, message: string): string {
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
  const differences = findDifferences(readCanonical(ours), readCanonical(theirs), secrets)
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

function findDifferences(ours: Parts, theirs: Parts, secrets: ReadonlySet<string>): string[] {
  const names = new Set([...ours.keys(), ...theirs.keys()])
  return [...names]
    .filter((name) => ours.get(name) !== theirs.get(name))
    .slice(0, MAX_DIFFERENCES)
    .map(
      (name) => `  ${name}: sent ${show(ours.get(name), secrets)}, the gateway saw ${show(theirs.get(name), secrets)}`,
    )
}

function show(part: string | undefined, secrets: ReadonlySet<string>): string {
  if (part === undefined) return 'nothing'
  // Before it is cut: half a secret is not found any more.
  const shown = redactText(part, secrets)
  return `'${shown.length > MAX_PART ? `${shown.slice(0, MAX_PART)}...` : shown}'`
}
