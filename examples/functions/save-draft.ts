import { invokeIntegrationService } from 'middy-signed-services/request-signer'

interface Draft {
  readonly title: string
  readonly text: string
}

/** Before: the request is not signed. A gateway with IAM authorization rejects it. The error is hand-written. */
export async function saveDraftUnsigned(draft: Draft): Promise<string> {
  const response = await fetch(`${process.env.INTEGRATION_SERVICE_API_URL}/drafts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(draft),
  })
  if (!response.ok) throw new Error(`Saving the draft failed: ${response.status} ${await response.text()}`)
  const { draftId } = (await response.json()) as { draftId: string }
  return draftId
}

/** After: the request is signed, traced and has a timeout. A failure is a `ServiceError`. */
export async function saveDraft(draft: Draft): Promise<string> {
  const { draftId } = await invokeIntegrationService<{ draftId: string }>('/drafts', 'POST', draft)
  return draftId
}
