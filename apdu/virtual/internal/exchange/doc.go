// Package exchange is what the applications on a virtual card have in common
// between a command APDU and its response, ISO 7816-4 §5: parsing, commands
// that come in several parts, answers that are fetched in several, and a power
// supply that may fail on the way.
//
//	func (c *Card) Process(raw []byte) []byte {
//		m, sw := exchange.Parse(raw, false)
//		return c.line.Process(m, sw, c.execute, c.commit)
//	}
//
// Which commands there are, which of them may be chained and how long their
// bodies may be is left to the application.
package exchange
