import { redactText, withoutControls } from './redact.ts'
import type { RejectionRules } from './rejection.ts'
import type { AuthReason } from './service-errors.ts'

/** A call that the gateway rejected. */
export interface RejectedCall {
  readonly method: string
  readonly path: string
  /** Base URL of the service. */
  readonly url?: string | undefined
  /** The canonical request of the last attempt. */
  readonly canonicalRequest?: string | undefined
  /** Region and AWS service that requests are signed for. */
  readonly scope: { readonly region: string; readonly signingName: string }
  /** How the service's gateway rejects requests. */
  readonly rejections: RejectionRules
  /** Texts that no error may show, also where a response repeats them. */
  readonly secrets: ReadonlySet<string>
  /** What the client changed before it sent a rejected request again. */
  readonly tried: ReadonlySet<Remedy>
}

/** What the client changed for a second signature. */
export type Remedy = 'other credentials' | 'corrected clock' | 'fresh signature'

/** Characters of one part of a canonical request in a hint. */
const MAX_PART = 200

/** Differences that a hint lists at most: more do not help the reader. */
const MAX_DIFFERENCES = 5

/** Characters of a hint at most: it quotes the gateway's message. */
const MAX_HINT = 4_000

/** What to do about a rejection. `message` is the gateway's. */
export function hintFor(reason: AuthReason, call: RejectedCall, message: string): string {
  return redactHint(createHint(reason, call, message), call.secrets)
}

function createHint(reason: AuthReason, call: RejectedCall, message: string): string {
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
      return `The gateway rejected the call without a reason. Check the permission ${list(call.rejections.actions)}, the API key, WAF rules and the resource policy. For a private API, also check the VPC endpoint and the stage.`
  }
}

function redactHint(hint: string, secrets: ReadonlySet<string>): string {
  const redacted = redactText(hint, secrets).split('\n').map(withoutControls).join('\n')
  return redacted.length > MAX_HINT ? `${redacted.slice(0, MAX_HINT)}...` : redacted
}

/** What to do about throttling by the gateway. */
export function throttlingHint(quota: boolean): string {
  return quota
    ? "The usage plan's quota is used up, so the call was not retried. Raise the quota, or wait until its period ends."
    : 'The gateway rejected the call for its rate limit before any code ran. Raise the limits of the stage or the account, or send fewer calls at once.'
}

function timeHint(reason: AuthReason, { tried }: RejectedCall): string {
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

function accessHint(message: string, { rejections }: RejectedCall): string {
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
  // A function URL requires two permissions, but the rejection names only one.
  const isListed = action === undefined || rejections.actions.includes(action)
  const actions = isListed ? rejections.actions : [action]
  const [first] = actions
  if (first === undefined) return `Allow the call in ${place}.`
  // API Gateway masks the account id. A policy needs the whole id or a wildcard.
  const arn = resource?.replace(/:\*+\d+:/, ':*:') ?? `arn:aws:${first.split(':')[0]}:*:*:*`
  const statement = JSON.stringify({
    Effect: 'Allow',
    Action: actions.length === 1 ? first : actions,
    Resource: arn,
  })
  return `Add this statement to ${place}: ${statement}`
}

/** The role of a session: policies are attached to roles, not to sessions. */
function roleOf(principal: string | undefined): string {
  const { account, role } =
    principal?.match(/arn:[\w-]+:sts::(?<account>\d+):assumed-role\/(?<role>[^/]+)\//)?.groups ?? {}
  return role === undefined ? (principal ?? "the function's role") : `the role ${role} (account ${account})`
}

function mismatchHint({ canonicalRequest: sent, secrets }: RejectedCall, message: string): string {
  if (message.includes('key=value pair')) {
    return 'Something on the way changed the Authorization header: the gateway did not receive the header that the client sent.'
  }
  const received = between(
    message,
    "The Canonical String for this request should have been\n'",
    "'\n\nThe String-to-Sign",
  )
  if (sent === undefined || received === undefined) {
    return 'The gateway computed another signature. Something on the way changed the request, or the secret access key does not belong to the access key.'
  }
  const differences = findDifferences(readCanonical(sent), readCanonical(received), secrets)
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

/** The parts of a canonical request by name. Each header is a part. */
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

function findDifferences(sent: Parts, received: Parts, secrets: ReadonlySet<string>): string[] {
  const names = new Set([...sent.keys(), ...received.keys()])
  return [...names]
    .filter((name) => sent.get(name) !== received.get(name))
    .slice(0, MAX_DIFFERENCES)
    .map(
      (name) =>
        `  ${name}: sent ${show(sent.get(name), secrets)}, the gateway received ${show(received.get(name), secrets)}`,
    )
}

function show(part: string | undefined, secrets: ReadonlySet<string>): string {
  if (part === undefined) return 'nothing'
  // Redacted before the cut: redaction would not recognise half a secret.
  const redacted = redactText(part, secrets)
  return `'${redacted.length > MAX_PART ? `${redacted.slice(0, MAX_PART)}...` : redacted}'`
}
