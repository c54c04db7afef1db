package interop

// Variables that tell TestWindows where the virtual reader waits for its card, and what the system calls it.
const (
	vpcdAddress = "CRYPTOKI_VPCD"
	vpcdReader  = "CRYPTOKI_VPCD_READER"
)
