package p11kit

import (
	"fmt"
	"net"
	"os"
)

// samePeer refuses other users than this one and the superuser.
func samePeer(c *net.UnixConn) error {
	uid, err := peerUser(c)
	if err != nil {
		return err
	}
	if own := os.Getuid(); uid != own && uid != 0 {
		return fmt.Errorf("p11kit: user %d is not user %d", uid, own)
	}
	return nil
}
