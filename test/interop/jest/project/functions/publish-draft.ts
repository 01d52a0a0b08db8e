export * from '../../../../../examples/functions/publish-draft.ts'
