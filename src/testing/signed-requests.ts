import { type SigningMessage, signingChannel } from '../signing-channel.ts'
import type { SignatureVerdict } from './verify-signature.ts'

/** What clients in this process have signed. */
export interface SignedRequests {
  /** The canonical request behind a signature that does not match, where it is known. */
  readonly take: (
    authorization: string | undefined,
    verdict: SignatureVerdict,
  ) => { readonly signedCanonicalRequest?: string }
  readonly stop: () => void
}

/** Requests that went elsewhere, or never arrived, are forgotten, the oldest first. */
const MAX_KEPT = 1000

export function followSignedRequests(): SignedRequests {
  const bySignature = new Map<string, string>()
  const keep = (message: unknown) => {
    const { signature, canonicalRequest } = message as SigningMessage
    bySignature.set(signature, canonicalRequest)
    if (bySignature.size > MAX_KEPT) bySignature.delete(bySignature.keys().next().value as string)
  }
  signingChannel.subscribe(keep)
  return {
    take(authorization, verdict) {
      const [, signature = ''] = /Signature=(\w+)/.exec(authorization ?? '') ?? []
      const signedCanonicalRequest = bySignature.get(signature)
      bySignature.delete(signature)
      const isMismatch = !verdict.verified && verdict.canonicalRequest !== undefined
      return isMismatch && signedCanonicalRequest !== undefined ? { signedCanonicalRequest } : {}
    },
    stop: () => signingChannel.unsubscribe(keep),
  }
}
