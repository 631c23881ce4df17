import { startSharedServices } from './shared-services.ts'

// biome-ignore lint/style/noDefaultExport: Jest calls the default export
export default startSharedServices
