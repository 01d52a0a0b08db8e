import { invokeIntegrationService } from '../../src/request-signer.ts'

interface Draft {
  readonly title: string
  readonly text: string
}

/** Before: nobody signs, so a gateway with IAM authorization refuses, and the error is whatever one writes by hand. */
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

/** After: signed, traced and bounded, and a failure is a `ServiceError`. */
export async function saveDraft(draft: Draft): Promise<string> {
  const { draftId } = await invokeIntegrationService<{ draftId: string }>('/drafts', 'POST', draft)
  return draftId
}
