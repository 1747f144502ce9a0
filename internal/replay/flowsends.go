package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/jsonscan"
)

// maxSends bounds the sends of one flow: 64 MiB of memory.
const maxSends = 1 << 22

var (
	errNotFinite = errors.New("is not a finite number")
	errNotString = errors.New("is not a string")
	errNotID     = errors.New("is neither a string nor a number")
	errNotPair   = errors.New("is not [seconds, bytes]")
)

// sends reads [[seconds, bytes], ...].
func (d *flowDecoder) sends() error {
	if err := d.Expect('['); err != nil {
		return err
	}
	d.seen = true
	d.flow.Sends = d.flow.Sends[:0]
	for n := 0; ; n++ {
		more, err := d.Next(']', n)
		if err != nil || !more {
			return err
		}
		one, fault, err := d.send()
		if err != nil {
			return err
		}
		if n >= maxSends {
			d.wrong(fmt.Errorf("more than %d sends", maxSends))
		}
		if fault != nil {
			d.wrong(fmt.Errorf("send %d: %w", n+1, fault))
		}
		if d.fault == nil {
			d.flow.Sends = append(d.flow.Sends, one)
		}
	}
}

// send reads one [seconds, bytes]; a fault is sound JSON that is something else.
func (d *flowDecoder) send() (one FlowSend, fault, err error) {
	if d.Peek() != '[' {
		value, err := d.Value()
		return one, fmt.Errorf("%q %w", clip(value.Raw), errNotPair), err
	}
	if err := d.Expect('['); err != nil {
		return one, nil, err
	}
	n := 0
	for ; ; n++ {
		more, err := d.Next(']', n)
		if err != nil {
			return one, nil, err
		}
		if !more {
			break
		}
		value, err := d.Value()
		if err != nil {
			return one, nil, err
		}
		var wrong error
		switch n {
		case 0:
			one.At, wrong = secondsOf(value)
		case 1:
			one.Bytes, wrong = bytesOf(value)
		}
		if wrong != nil && fault == nil {
			fault = fmt.Errorf("%s %q %w", [...]string{"seconds", "bytes"}[n], clip(value.Raw), wrong)
		}
	}
	if n != 2 && fault == nil {
		fault = fmt.Errorf("%d values: %w", n, errNotPair)
	}
	return one, fault, nil
}

// secondsOf reads a number of seconds, not negative.
func secondsOf(t jsonscan.Token) (time.Duration, error) {
	if err := isNumber(t); err != nil {
		return 0, err
	}
	return parseSeconds(t.Raw)
}

// bytesOf reads a count of bytes; null, a count that nobody took, is 0.
func bytesOf(t jsonscan.Token) (uint64, error) {
	if t.Kind == 'n' {
		return 0, nil
	}
	if err := isNumber(t); err != nil {
		return 0, err
	}
	return parseBytes(t.Raw)
}

func isNumber(t jsonscan.Token) error {
	switch t.Kind {
	case '0':
		return nil
	case 'N':
		return errNotFinite
	}
	return errNumber
}

func textOf(t jsonscan.Token) (string, error) {
	if t.Kind != '"' {
		return "", errNotString
	}
	if len(t.Raw) > maxText {
		return "", fmt.Errorf("is longer than %d bytes", maxText)
	}
	return jsonscan.Unquote(t.Raw)
}
