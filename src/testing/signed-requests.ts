import { type SigningMessage, signingChannel } from '../signing/signing-channel.ts'
import type { SignatureVerdict } from './verify-signature.ts'

/** What clients in this process have signed. */
export interface SignedRequests {
  /** The canonical request behind a signature that does not match, where it is known. */
  readonly find: (
    authorization: string | undefined,
    verdict: SignatureVerdict,
  ) => { readonly signedCanonicalRequest?: string }
  readonly stop: () => void
}

/** Older ones are forgotten. Equal calls of one second share a signature, so that none is dropped when it arrives. */
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
    find(authorization, { verified, canonicalRequest }) {
      if (verified || canonicalRequest === undefined) return {}
      // An authorization that could be compared ends with its signature.
      const signedCanonicalRequest = bySignature.get(String(authorization).split('Signature=').at(-1) as string)
      return signedCanonicalRequest === undefined ? {} : { signedCanonicalRequest }
    },
    stop: () => signingChannel.unsubscribe(keep),
  }
}
