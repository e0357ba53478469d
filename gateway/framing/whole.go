package framing

// CheckHead looks at the head of one request, its empty line included, as a gate would, and says why it
// would be refused, or "". It is for heads that were made from HTTP/2: there the framing leaves no doubt,
// but what its pseudo-header fields hold can end a line, or be several words of it, in HTTP/1.1.
func CheckHead(head []byte) (reason string) {
	var c parser
	c.init(len(head), false)
	passed, reason := c.check(head)
	if reason == "" && (passed < len(head) || !c.complete()) {
		return ReasonLineEnd // it ends where no head does, or goes on behind its end
	}
	return reason
}

// complete reports whether the head is over, and nothing behind it has begun.
func (c *parser) complete() bool {
	return c.state == atStart || c.state == transparent || c.inBody()
}
