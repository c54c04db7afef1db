package apdu

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"
)

// shown tells which data of an exchange may be written to a log.
type shown struct{ command, response bool }

// shows is a list of what is known to be harmless, as all else may hold PINs,
// keys, or what was made with them: the commands that select and describe, and
// GET DATA with its answer. The contents of files are never shown, since some
// are read after a login only.
func shows(cmd Command) shown {
	if cmd.CLA&^0x13 != 0 { // proprietary, or secure messaging
		return shown{}
	}
	switch cmd.INS {
	case insSelect, insGetData, insGetDataODO:
		return shown{command: true, response: true}
	case insReadBinary, insReadBinaryODO, insReadRecord, insMSE, insCreateFile, insDeleteFile:
		return shown{command: true}
	}
	return shown{}
}

// observed tells whether anybody looks at exchanges.
func (c *Conn) observed() bool { return c.trace != nil || c.logs() }

func (c *Conn) logs() bool {
	return c.logger != nil && c.logger.Enabled(context.Background(), slog.LevelDebug)
}

// clock is the present time if somebody will want to know a duration.
func (c *Conn) clock() time.Time {
	if !c.logs() {
		return time.Time{}
	}
	return time.Now()
}

// observe shows one exchange to tap and logger.
func (c *Conn) observe(command, response []byte, err error, started time.Time, show shown) {
	if c.trace != nil {
		c.trace(command, response, err)
	}
	if !c.logs() || len(command) < 4 {
		return
	}
	cmd, _ := ParseCommand(command)
	attrs := []slog.Attr{
		slog.String("reader", c.info.Reader),
		slog.String("command", name(command[0], command[1], command[2], command[3])),
		slog.String("header", fmt.Sprintf("%X", command[:4])),
		slog.Int("lc", len(cmd.Data)),
		slog.String("data", visible(cmd.Data, show.command)),
	}
	if n := len(response) - 2; n >= 0 {
		attrs = append(attrs,
			slog.String("status", fmt.Sprintf("%X", response[n:])),
			slog.Int("length", n),
			slog.String("response", visible(response[:n], show.response)))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	attrs = append(attrs, slog.Duration("took", time.Since(started)))
	c.logger.LogAttrs(context.Background(), slog.LevelDebug, "apdu", attrs...)
}

func visible(data []byte, show bool) string {
	switch {
	case len(data) == 0:
		return ""
	case show:
		return hex.EncodeToString(data)
	}
	return "redacted"
}
