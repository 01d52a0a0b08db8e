export * from '../../../../../examples/functions/save-draft.ts'
