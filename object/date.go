package object

import (
	"fmt"
	"time"
)

// Date is a day, a CK_DATE. The zero value is no date, an empty attribute.
type Date struct {
	Year  int // 0 to 9999
	Month time.Month
	Day   int
}

// DateOf returns the day of a time, in the time's own place.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// String returns the date as in "2006-01-02", or nothing for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// valid reports whether there is such a day.
func (d Date) valid() bool {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
	return d.Year >= 0 && d.Year <= 9999 && DateOf(t) == d
}

// parseDate reads eight digits. Eight zeros, blanks or NULs, which cards
// have for no date, are no date.
func parseDate(b []byte) (Date, bool) {
	switch string(b) {
	case "", "00000000", "        ", "\x00\x00\x00\x00\x00\x00\x00\x00":
		return Date{}, true
	}
	if len(b) != 8 {
		return Date{}, false
	}
	number := func(b []byte) int {
		n := 0
		for _, c := range b {
			if c < '0' || c > '9' {
				return -1
			}
			n = 10*n + int(c-'0')
		}
		return n
	}
	d := Date{number(b[:4]), time.Month(number(b[4:6])), number(b[6:])}
	return d, d.valid()
}

// Version is a version number, a CK_VERSION: 1.2 is {1, 2}, and 2.05 is
// {2, 5}.
type Version struct{ Major, Minor byte }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }
