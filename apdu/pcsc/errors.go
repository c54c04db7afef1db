package pcsc

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// connectErrors is what codes of the service mean before there is a
// connection to a card.
var connectErrors = map[winscard.Error]error{
	winscard.UnknownReader:      apdu.ErrNoReader,
	winscard.ReaderUnavailable:  apdu.ErrNoReader,
	winscard.NoReadersAvailable: apdu.ErrNoReader,
	winscard.NoSmartCard:        apdu.ErrNoCard,
	winscard.RemovedCard:        apdu.ErrNoCard,
	winscard.SharingViolation:   apdu.ErrInUse,
	winscard.NoService:          apdu.ErrNoService,
	winscard.ServiceStopped:     apdu.ErrNoService,
	winscard.InvalidHandle:      apdu.ErrNoService,
}

// cardErrors is what codes mean on a connection to a card.
var cardErrors = map[winscard.Error]error{
	winscard.RemovedCard:        apdu.ErrRemoved,
	winscard.NoSmartCard:        apdu.ErrRemoved,
	winscard.ReaderUnavailable:  apdu.ErrRemoved,
	winscard.UnknownReader:      apdu.ErrRemoved,
	winscard.InvalidHandle:      apdu.ErrRemoved,
	winscard.NoReadersAvailable: apdu.ErrRemoved,
	winscard.NoService:          apdu.ErrRemoved,
	winscard.ServiceStopped:     apdu.ErrRemoved,
	winscard.ResetCard:          apdu.ErrReset,
	winscard.SharingViolation:   apdu.ErrInUse,
}

func mapConnect(err error) error { return mapped(connectErrors, err) }
func mapCard(err error) error    { return mapped(cardErrors, err) }

// mapped says in terms of package apdu what went wrong; what is not known is a
// failure of the link.
func mapped(meaning map[winscard.Error]error, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var code winscard.Error
	if errors.As(err, &code) {
		if m, ok := meaning[code]; ok {
			return fmt.Errorf("%w: %w", m, err)
		}
	}
	return fmt.Errorf("%w: %w", apdu.ErrLink, err)
}

func is(err error, codes ...winscard.Error) bool {
	for _, c := range codes {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}
