package soft

// PointOf returns the public key of a private key on a curve.
func PointOf(m *Material) []byte { return m.point }
