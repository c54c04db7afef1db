package virtual

// steal has another program send commands: now, or if the link has the card in
// a transaction, when that has ended.
func (l *link) steal(commands [][]byte) {
	c := l.card
	c.mu.Lock()
	if l.begun {
		c.thefts = append(c.thefts, commands...)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.thieve(commands)
}

// thieve has the card execute commands of nobody's link. No one else uses it
// meanwhile.
func (c *Card) thieve(commands [][]byte) {
	for _, command := range commands {
		c.warm()
		if answer := c.system.Process(command); answer != nil {
			c.show(command, answer)
		}
		c.mu.Lock()
		c.sent++
		c.mu.Unlock()
	}
}

// pay has the commands executed that were to wait for the end of a transaction.
// The caller holds c.mu, and its link the card.
func (c *Card) pay() {
	commands := c.thefts
	if len(commands) == 0 {
		return
	}
	c.thefts = nil
	c.busy = true
	c.mu.Unlock()
	c.thieve(commands)
	c.mu.Lock()
	c.busy = false
}
