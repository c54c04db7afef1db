package faults_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// row is one way in which systems of this kind were hurt.
type row struct {
	id, title string
	run       func(t *testing.T) // nil: docs/robustness.md says why
}

var table = []row{
	{"A1", "an answer without a status word", shortAnswers},
	{"A2", "more bytes are announced for ever, and none come", endlessEmpty},
	{"A3", "an answer without end", endlessFull},
	{"A4", "a length that is corrected for ever", endlessCorrection},
	{"A5", "more bytes than announced", tooMuchAnswered},
	{"A6", "fewer bytes than announced", cutAnswers},
	{"A7", "lengths beyond the data", wrongLengths},
	{"A8", "elements nested too deeply, and too many", deepAndMany},
	{"A9", "nothing where something must be", emptyContents},
	{"A10", "odd answers to reset", oddATRs},
	{"A11", "an over-long URL in the key history", keyHistory},
	{"A12", "certificates that are packed badly", compressedCertificates},
	{"A13", "certificates that do not fit their keys", foreignCertificate},
	{"A14", "wrong signatures", wrongSignatures},
	{"A15", "wrong results of decryption", wrongPlaintexts},
	{"A16", "a generated key that is told wrong", wrongGeneratedKey},
	{"A17", "directories that name themselves", directoryCycles},
	{"A18", "file sizes that are not true", wrongFileSizes},
	{"A19", "PIN lengths that are not true", wildPINInfo},
	{"A20", "retry counters of other forms", oddRetryCounters},
	{"A21", "algorithms and curves that nobody knows", unknownAlgorithms},
	{"A22", "labels with control characters", oddLabels},
	{"A23", "the answer before, once more", staleAnswers},
	{"A24", "a secure channel that is not there", noSecureChannel},

	{"B1", "an empty PIN on a card that is verified already", emptyPINOnVerifiedCard},
	{"B2", "a card that another program left verified", verifiedByAnother},
	{"B3", "a wrong PIN costs one try", oneTryPerWrongPIN},
	{"B4", "a wrong PIN from a callback is not tried again", wrongPINFromCallback},
	{"B5", "a kept PIN that is right no more", keptPINIsOld},
	{"B6", "the answer to VERIFY is lost", lostAnswerToVerify},
	{"B7", "a blocked PIN", blockedPIN},
	{"B8", "another card in the reader", swappedCard},
	{"B9", "another program between consent and use", consentIsNotShared},
	{"B10", "a login for one use without one", contextLogin},
	{"B11", "a SELECT that drops the PIN", selectDropsPIN},
	{"B12", "a VERIFY without data that tells nothing", statusIsUnreliable},
	{"B13", "a login that fails in odd ways", oddAnswersToVerify},
	{"B14", "logins that cannot be", loginsThatCannotBe},
	{"B15", "the answer to a change of the PIN is lost", lostAnswerToChange},
	{"B16", "malformed PINs cost no try", malformedPINs},

	{"C1", "logout ends an operation", logoutEndsOperations},
	{"C2", "private handles die at logout", handlesDieAtLogout},
	{"C3", "logout during a search", logoutDuringSearch},
	{"C4", "the officer sees nothing private", officerSeesNothingPrivate},
	{"C5", "a search by a secret value finds nothing", searchIsNoOracle},
	{"C6", "what is sensitive stays so", sensitiveStaysSo},
	{"C7", "a key of the wrong type for the mechanism", wrongKeyForMechanism},
	{"C8", "an error ends an operation, a size does not", errorEndsOperation},
	{"C9", "the last session logs out", lastSessionLogsOut},
	{"C10", "handles that are none, or of others", wrongHandles},
	{"C11", "the last session closes while another opens", lastCloseAgainstOpen},
	{"C12", "the application ends during calls", closeDuringCalls},
	{"C13", "writes that are forbidden", writesThatAreForbidden},
	{"C14", "an object that cannot be destroyed", destroyThatFails},
	{"C15", "objects that another program changed", changedByAnother},
	{"C16", "templates of every sort", wildTemplates},

	{"D1", "the card is pulled at any exchange", pulledAnywhere},
	{"D2", "the card is pulled and put back unseen", pulledAndPutBack},
	{"D3", "the reader is unplugged", readerUnplugged},
	{"D4", "the service stops", serviceStopped},
	{"D5", "a reset while idle", resetWhileIdle},
	{"D6", "a reset inside a unit", resetInsideUnit},
	{"D7", "a reset that nobody tells", resetThatNobodyTells},
	{"D8", "another application is selected", otherAppletSelected},
	{"D9", "another program holds the card", heldByAnother},
	{"D10", "every transaction ends", transactionsEnd},
	{"D11", "the reader does not come back", reconnectFails},
	{"D12", "one reader hangs, the other works", oneSlotHangs},

	{"E1", "a big object is torn", tornBigWrite},
	{"E2", "a key whose certificate was lost", keyWithoutCertificate},
	{"E3", "the answer to a key's generation is lost", lostAnswerToGenerate},
	{"E4", "an import is torn", tornImport},
	{"E5", "the directory comes last", directoryComesLast},
	{"E6", "a process is killed while it writes a card file", killedWhileWriting},
	{"E7", "damaged card files", damagedCardFiles},
	{"E8", "card files out of reach, and full cards", cardFilesOutOfReach},
	{"E9", "memory errors of the card", memoryErrors},

	{"F1", "readers and cards without long APDUs", noExtendedLengths},
	{"F2", "zeros for an answer", zerosForAnswers},
	{"F3", "lengths at the edge", lengthsAtTheEdge},
	{"F4", "cards with T=0", protocolT0},
	{"F5", "the link fails once", linkFailsOnce},
	{"F6", "a key that takes minutes to make", longGeneration},
	{"F7", "a reader that hangs", hungReader},
	{"F8", "a caller cancels while a touch is awaited", cancelledTouch},
	{"F9", "an answer that comes too late", lateAnswer},
	{"F10", "a slow reader", slowReaderIsBearable},

	{"G1", "many goroutines", manyGoroutines},
	{"G2", "two processes and one card file", twoProcesses},
	{"G3", "child processes inherit nothing", childProcesses},
	{"G4", "callbacks that call the library, and panic", callbacksThatReenter},
	{"G5", "callers cancelled at random", cancelledAtRandom},

	{"H1", "paddings that are wrong look like any other", paddingOracle},
	{"H2", "a mechanism that is not offered is an error", unsupportedMechanisms},
	{"H3", "nothing of an earlier answer is in a later one", staleBuffers},
	{"H4", "no secret in logs and errors", secretsInLogs},
	{"H5", "no PIN in memory after logout", memoryAfterLogout},
	{"H6", "misuse of crypto.Signer", signerMisuse},
	{"H7", "points and keys that are weak", weakPoints},
	{"H8", "no panic where only FIPS 140 is allowed", fipsMode},
	{"H9", "a card without randomness", brokenRandom},
}

func TestFaults(t *testing.T) {
	for _, row := range table {
		if row.run != nil {
			t.Run(row.id, func(t *testing.T) { row.run(t) })
		}
	}
}

// groups are how many cases of each letter there are.
var groups = map[string]int{"A": 24, "B": 16, "C": 16, "D": 12, "E": 9, "F": 10, "G": 5, "H": 9}

// TestEveryCaseIsRunOrListed looks for cases that are neither.
func TestEveryCaseIsRunOrListed(t *testing.T) {
	page, err := os.ReadFile("../../docs/robustness.md")
	if err != nil {
		t.Fatal(err)
	}
	run := make(map[string]bool)
	for _, row := range table {
		if _, twice := run[row.id]; twice {
			t.Errorf("%s is there twice", row.id)
		}
		run[row.id] = row.run != nil
	}
	total := 0
	for letter, n := range groups {
		for i := range n {
			total++
			id := fmt.Sprint(letter, i+1)
			listed := strings.Contains(string(page), "\n| "+id+" |")
			if runs, ok := run[id]; !ok || runs == listed {
				t.Errorf("%s: in the table %v, run %v, listed as left out %v", id, ok, runs, listed)
			}
		}
	}
	if total != len(table) {
		t.Errorf("%d cases, %d rows", total, len(table))
	}
}
